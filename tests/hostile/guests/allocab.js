// Fills the memory with array buffers.
function activate(url, bus) {
  const attack = () => {
    const kept = [];
    for (;;) kept.push(new Uint8Array(4 << 20).fill(1));
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'allocab' };
}
