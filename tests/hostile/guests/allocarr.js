// Fills the heap with arrays.
function activate(url, bus) {
  const attack = () => {
    const kept = [];
    for (;;) kept.push(new Array(1000).fill(kept.length));
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'allocarr' };
}
