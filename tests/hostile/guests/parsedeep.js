// Compiles an expression nested half a million deep.
function activate(url, bus) {
  const attack = () => {
    new Function('return ' + '('.repeat(5e5) + ')'.repeat(5e5));
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'parsedeep' };
}
