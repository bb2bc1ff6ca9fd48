// The kit for writing Hyperties.

export * from "./hyperty.ts";
export * from "./idp-proxy.ts";
export * from "./message.ts";
export * from "./objects.ts";
export * from "./syncher.ts";
export type { Change, Operation } from "./value.ts";
