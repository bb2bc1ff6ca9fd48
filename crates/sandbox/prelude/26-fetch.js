// fetch: the host connects, if the origin was granted; the body streams with back-pressure.

const open = new Map();

async function fetch(input, init) {
  const request = new Request(input, init);
  request.signal.throwIfAborted();
  const body = internal.hasBody(request) ? await request.bytes() : undefined;
  request.signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const id = internal.newId();
    const call = { resolve, reject, controller: undefined, url: request.url };
    const abort = () => {
      internal.tell({ op: 'fetch.cancel', id });
      finish(id, request.signal.reason);
    };
    request.signal.addEventListener('abort', abort, { once: true });
    call.forget = () => request.signal.removeEventListener('abort', abort);
    internal.tell({ op: 'fetch', id, url: request.url, method: request.method, headers: [...request.headers] }, body);
    open.set(id, call);
  });
}

/** Ends a fetch: with an error, or well when there is none. */
function finish(id, error) {
  const call = open.get(id);
  if (!call) return;
  open.delete(id);
  call.forget();
  if (!error) call.controller?.close();
  else if (call.controller) call.controller.error(error);
  else call.reject(error);
}

internal.on('fetch.head', ({ id, status, statusText, headers, url }) => {
  const call = open.get(id);
  if (!call) return;
  const response = new Response(null, { status, statusText, headers });
  response.url = url;
  response.redirected = url !== call.url;
  response.type = 'cors';
  response.setBody({
    stream: new ReadableStream({
      start: (controller) => {
        call.controller = controller;
      },
      // Each chunk that the guest takes makes room for one more.
      taken: () => open.has(id) && internal.tell({ op: 'fetch.pull', id }),
      cancel: () => {
        internal.tell({ op: 'fetch.cancel', id });
        finish(id);
      },
    }),
  });
  call.resolve(response);
});
internal.on('fetch.chunk', ({ id }, bytes) => open.get(id)?.controller?.enqueue(bytes));
internal.on('fetch.end', ({ id }) => finish(id));
internal.on('fetch.error', ({ id, text }) => finish(id, new TypeError(text)));

internal.define('fetch', fetch);
