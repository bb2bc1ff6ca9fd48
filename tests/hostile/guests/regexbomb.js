// Matches a pattern that backtracks exponentially.
function activate(url, bus) {
  const attack = () => {
    /^(a|a|aa)+$/.test('a'.repeat(60) + 'b');
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'regexbomb' };
}
