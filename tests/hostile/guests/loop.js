// Runs for ever.
function activate(url, bus) {
  const attack = () => {
    for (;;) {}
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'loop' };
}
