// Calls itself for ever.
function activate(url, bus) {
  const attack = () => {
    const down = (depth) => down(depth + 1) + 1;
    down(0);
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'recurse' };
}
