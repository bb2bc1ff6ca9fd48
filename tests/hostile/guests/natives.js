// Lets built-in functions make the largest things they can.
function activate(url, bus) {
  const attack = () => {
    for (;;) {
      try {
        Array.from({ length: 2 ** 31 });
      } catch {}
      try {
        'ab'.repeat(2 ** 28).split('');
      } catch {}
      try {
        new Array(2 ** 25).fill('x').join('y').replaceAll('y', 'zz');
      } catch {}
    }
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'natives' };
}
