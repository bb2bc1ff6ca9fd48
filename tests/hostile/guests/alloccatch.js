// Fills the heap, catches that it is full, and goes on.
function activate(url, bus) {
  const attack = () => {
    const kept = [];
    for (;;) {
      try {
        for (;;) kept.push({ size: kept.length, text: 'x'.repeat(500) + kept.length });
      } catch {
        kept.length = kept.length >> 1;
      }
    }
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'alloccatch' };
}
