/** Answers the demo's questions about files, and holds the files it plays with. */
import type { ChatMessage, FileState, FileView, News, Question, Upload } from './shell';

/** A small picture: a sky at dusk. */
const PICTURE =
  'iVBORw0KGgoAAAANSUhEUgAAADAAAAAgCAIAAADbtmxLAAALjklEQVR42g3OscqyCgCA4XM5/9DQ0NDQ0NDQ0NDQEFIgGJIgFJEgGFIgGJIgGC8JghEJgiEFgg0NDQ0NDQ0NDQ0NXcj5nit4/vsnUB' +
  'IoC1QEqgI1gbpAQ6Ap0BJoC3QEugI9AVFgIDAUUAXGAlMBXWAmMBewBJYCKwFPYC2wEQgFtgJ7gUTgIHAUyAXOAheBq8BN4C7wEHgKvATeAh+Br8BP4L9/fUp9yn0qfap9an3qfRp9mn1afdp9On26' +
  'fXp9xD6DPsM+ap9xn2kfvc+sz7yP1WfZZ9XH67Pus+kT9tn22fdJ+hz6HPvkfc59Ln2ufW597n0efZ59Xn3efT59vn1+/b+QSEmkLFIRqYrUROoiDZGmSEukLdIR6Yr0RESRgchQRBUZi0xFdJGZyF' +
  'zEElmKrEQ8kbXIRiQU2YrsRRKRg8hRJBc5i1xEriI3kbvIQ+Qp8hJ5i3xEviI/8S8kUZIoS1QkqhI1ibpEQ6Ip0ZJoS3QkuhI9CVFiIDGUUCXGElMJXWImMZewJJYSKwlPYi2xkQglthJ7iUTiIHGU' +
  'yCXOEheJq8RN4i7xkHhKvCTeEh+Jr8RP+gvJlGTKMhWZqkxNpi7TkGnKtGTaMh2ZrkxPRpQZyAxlVJmxzFRGl5nJzGUsmaXMSsaTWctsZEKZrcxeJpE5yBxlcpmzzEXmKnOTucs8ZJ4yL5m3zEfmK/' +
  'OT/0IKJYWyQkWhqlBTqCs0FJoKLYW2Qkehq9BTEBUGCkMFVWGsMFXQFWYKcwVLYamwUvAU1gobhVBhq7BXSBQOCkeFXOGscFG4KtwU7goPhafCS+Gt8FH4KvyUv5BKSaWsUlGpqtRU6ioNlaZKS6Wt' +
  '0lHpqvRURJWBylBFVRmrTFV0lZnKXMVSWaqsVDyVtcpGJVTZquxVEpWDylElVzmrXFSuKjeVu8pD5anyUnmrfFS+Kj/1LzSiNKI8ojKiOqI2oj6iMaI5ojWiPaIzojuiN0IcMRgxHKGOGI+YjtBHzE' +
  'bMR1gjliNWI7wR6xGbEeGI7Yj9iGTEYcRxRD7iPOIy4jriNuI+4jHiOeI14j3iM+I74jf6C00oTShPqEyoTqhNqE9oTGhOaE1oT+hM6E7oTRAnDCYMJ6gTxhOmE/QJswnzCdaE5YTVBG/CesJmQjhh' +
  'O2E/IZlwmHCckE84T7hMuE64TbhPeEx4TnhNeE/4TPhO+E3+QholjbJGRaOqUdOoazQ0mhotjbZGR6Or0dMQNQYaQw1VY6wx1dA1ZhpzDUtjqbHS8DTWGhuNUGOrsddINA4aR41c46xx0bhq3DTuGg' +
  '+Np8ZL463x0fhq/LS/kE5Jp6xT0anq1HTqOg2dpk5Lp63T0enq9HREnYHOUEfVGetMdXSdmc5cx9JZ6qx0PJ21zkYn1Nnq7HUSnYPOUSfXOetcdK46N527zkPnqfPSeet8dL46P/0vZFAyKBtUDKoG' +
  'NYO6QcOgadAyaBt0DLoGPQPRYGAwNFANxgZTA91gZjA3sAyWBisDz2BtsDEIDbYGe4PE4GBwNMgNzgYXg6vBzeBu8DB4GrwM3gYfg6/Bz/gLmZRMyiYVk6pJzaRu0jBpmrRM2iYdk65Jz0Q0GZgMTV' +
  'STscnURDeZmcxNLJOlycrEM1mbbExCk63J3iQxOZgcTXKTs8nF5GpyM7mbPEyeJi+Tt8nH5GvyM/9CC0oLygsqC6oLagvqCxoLmgtaC9oLOgu6C3oLxAWDBcMF6oLxgukCfcFswXyBtWC5YLXAW7Be' +
  'sFkQLtgu2C9IFhwWHBfkC84LLguuC24L7gseC54LXgveCz4Lvgt+i7+QRcmibFGxqFrULOoWDYumRcuibdGx6Fr0LESLgcXQQrUYW0wtdIuZxdzCslharCw8i7XFxiK02FrsLRKLg8XRIrc4W1wsrh' +
  'Y3i7vFw+Jp8bJ4W3wsvhY/6y9kU7Ip21RsqjY1m7pNw6Zp07Jp23RsujY9G9FmYDO0UW3GNlMb3WZmM7exbJY2KxvPZm2zsQlttjZ7m8TmYHO0yW3ONhebq83N5m7zsHnavGzeNh+br83P/gs5lBzK' +
  'DhWHqkPNoe7QcGg6tBzaDh2HrkPPQXQYOAwdVIexw9RBd5g5zB0sh6XDysFzWDtsHEKHrcPeIXE4OBwdcoezw8Xh6nBzuDs8HJ4OL4e3w8fh6/Bz/kIuJZeyS8Wl6lJzqbs0XJouLZe2S8el69JzEV' +
  '0GLkMX1WXsMnXRXWYucxfLZemycvFc1i4bl9Bl67J3SVwOLkeX3OXscnG5utxc7i4Pl6fLy+Xt8nH5uvzcv5BHyaPsUfGoetQ86h4Nj6ZHy6Pt0fHoevQ8RI+Bx9BD9Rh7TD10j5nH3MPyWHqsPDyP' +
  'tcfGI/TYeuw9Eo+Dx9Ej9zh7XDyuHjePu8fD4+nx8nh7fDy+Hj/vL+RT8in7VHyqPjWfuk/Dp+nT8mn7dHy6Pj0f0WfgM/RRfcY+Ux/dZ+Yz97F8lj4rH89n7bPxCX22PnufxOfgc/TJfc4+F5+rz8' +
  '3n7vPwefq8fN4+H5+vz8//C0EJylCBKtSgDg1oQgva0IEu9ECEAQxBhTFMQYcZzMGCJazAgzVsIIQt7CGBAxwhhzNc4Ao3uMMDnvCCN3zgCz/+QgGlgHJAJaAaUAuoBzQCmgGtgHZAJ6Ab0AsQAwYB' +
  'wwA1YBwwDdADZgHzACtgGbAK8ALWAZuAMGAbsA9IAg4Bx4A84BxwCbgG3ALuAY+AZ8Ar4B3wCfgG/IK/UEgppBxSCamG1ELqIY2QZkgrpB3SCemG9ELEkEHIMEQNGYdMQ/SQWcg8xApZhqxCvJB1yC' +
  'YkDNmG7EOSkEPIMSQPOYdcQq4ht5B7yCPkGfIKeYd8Qr4hv/AvFFGKKEdUIqoRtYh6RCOiGdGKaEd0IroRvQgxYhAxjFAjxhHTCD1iFjGPsCKWEasIL2IdsYkII7YR+4gk4hBxjMgjzhGXiGvELeIe' +
  '8Yh4Rrwi3hGfiG/EL/oL7SjtKO+o7KjuqO2o72jsaO5o7Wjv6Ozo7ujtEHcMdgx3qDvGO6Y79B2zHfMd1o7ljtUOb8d6x2ZHuGO7Y78j2XHYcdyR7zjvuOy47rjtuO947HjueO147/js+O747f5CMa' +
  'WYckwlphpTi6nHNGKaMa2YdkwnphvTixFjBjHDGDVmHDON0WNmMfMYK2YZs4rxYtYxm5gwZhuzj0liDjHHmDzmHHOJucbcYu4xj5hnzCvmHfOJ+cb84r9QQimhnFBJqCbUEuoJjYRmQiuhndBJ6Cb0' +
  'EsSEQcIwQU0YJ0wT9IRZwjzBSlgmrBK8hHXCJiFM2CbsE5KEQ8IxIU84J1wSrgm3hHvCI+GZ8Ep4J3wSvgm/5C+UUkopp1RSqim1lHpKI6WZ0kppp3RSuim9FDFlkDJMUVPGKdMUPWWWMk+xUpYpqx' +
  'QvZZ2ySQlTtin7lCTlkHJMyVPOKZeUa8ot5Z7ySHmmvFLeKZ+Ub8ov/QtllDLKGZWMakYto57RyGhmtDLaGZ2MbkYvQ8wYZAwz1IxxxjRDz5hlzDOsjGXGKsPLWGdsMsKMbcY+I8k4ZBwz8oxzxiXj' +
  'mnHLuGc8Mp4Zr4x3xifjm/HL/kInSifKJyonqidqJ+onGieaJ1on2ic6J7oneifEE4MTwxPqifGJ6Qn9xOzE/IR1YnlidcI7sT6xORGe2J7Yn0hOHE4cT+QnzicuJ64nbifuJx4nnideJ94nPie+J3' +
  '6nv1BOKaecU8mp5tRy6jmNnGZOK6ed08np5vRyxJxBzjBHzRnnTHP0nFnOPMfKWeascrycdc4mJ8zZ5uxzkpxDzjEnzznnXHKuObece84j55nzynnnfHK+Ob/8L1RQKigXVAqqBbWCekGjoFnQKmgX' +
  'dAq6Bb0CsWBQMCxQC8YF0wK9YFYwL7AKlgWrAq9gXbApCAu2BfuCpOBQcCzIC84Fl4Jrwa3gXvAoeBa8Ct4Fn4Jvwa/gf0eG24gENe9IAAAAAElFTkSuQmCC';

/** One sample of silence, as a WAV file. */
const SOUND = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAwF0AAIC7AAACABAAZGF0YQIAAAAAAA==';

const none = { width: null, height: null, durationMs: null, wave: [], preview: null } satisfies Partial<FileView>;

export const samplePicture: FileView = { ...none, kind: 'picture', name: 'saturday-at-the-river.png', size: 184_320, width: 1200, height: 800 };
export const sampleNote: FileView = {
  ...none, kind: 'voice', name: 'voice.ogg', size: 31_400, durationMs: 12_400,
  wave: Array.from({ length: 64 }, (_, at) => Math.round(128 + 110 * Math.sin(at * 0.7) * Math.cos(at * 0.13))),
};
export const samplePaper: FileView = { ...none, kind: 'other', name: 'tender-draft-with-a-rather-long-name-final-2.pdf', size: 5_242_880 };

export interface FilesHost {
  /** Every message there is. */
  messages(): ChatMessage[];
  /** How far the files of messages are; here, if nothing is said. */
  states: Record<string, FileState>;
  uploads: Upload[];
  tell(news: News): void;
}

/** The answer to a question about files; `undefined` for any other. */
export function answerFiles(host: FilesHost, question: Question): unknown {
  const stateOf = (id: string): FileState => {
    const { content } = host.messages().find((one) => one.id === id)!;
    const shown = content.type !== 'file' || content.file.kind === 'other' ? null : content.file.kind === 'voice' ? 'audio/ogg' : 'image/png';
    return host.states[id] ?? { stage: 'here', shown };
  };
  switch (question.ask) {
    case 'file.begin':
      return { file: 'staged', partBytes: 131_072 };
    case 'file.send': {
      const chat = host.messages()[0]!.chat;
      const upload: Upload = { file: `upload-${host.uploads.length + 1}`, chat, view: samplePaper, text: question.input.text, done: 2_200_000, trouble: null, at: Date.now() };
      host.uploads.push(upload);
      return upload;
    }
    case 'file.uploads':
      return host.uploads.filter((one) => one.chat === question.input.chat);
    case 'file.resume':
    case 'file.drop': {
      const { file } = question.input;
      const upload = host.uploads.find((one) => one.file === file);
      if (!upload) return null;
      if (question.ask === 'file.resume') return upload.trouble = null, host.tell({ news: 'upload', data: upload }), null;
      host.uploads.splice(host.uploads.indexOf(upload), 1);
      host.tell({ news: 'upload-gone', data: { chat: upload.chat, file } });
      return null;
    }
    case 'file.look':
      return stateOf(question.input.message);
    case 'file.get':
      return host.states[question.input.message] = { stage: 'coming', done: 1_700_000, directly: false };
    case 'file.stop':
      return host.states[question.input.message] = { stage: 'away' };
    case 'file.read':
      return { data: PICTURE, parts: 1 };
    case 'voice.read':
      return { data: SOUND, parts: 1 };
    case 'file.save':
      return { path: '/home/ana/Downloads/saturday-at-the-river.png' };
    case 'file.gallery': {
      const all = host.messages().filter((one) => one.chat === question.input.chat && one.content.type === 'file');
      return { messages: all.toReversed(), before: null };
    }
    case 'voice.begin':
    case 'voice.look':
      return { durationMs: 7_300, level: 60 + Math.round(Math.random() * 120), full: false };
    case 'file.part':
    case 'voice.end':
      return null;
    default:
      return undefined;
  }
}
