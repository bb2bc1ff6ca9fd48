// Keeps the queue of promise jobs full for ever.
function activate(url, bus) {
  const attack = () => {
    const again = () => Promise.resolve().then(again);
    for (let i = 0; i < 100; i++) again();
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'promiseloop' };
}
