// Walks an array of four thousand million holes.
function activate(url, bus) {
  const attack = () => {
    const holes = [];
    holes.length = 2 ** 32 - 1;
    holes.forEach(() => {});
    holes.sort();
    holes.reverse();
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'sparse' };
}
