// Compiles a pattern nested a hundred thousand deep.
function activate(url, bus) {
  const attack = () => {
    new RegExp('('.repeat(1e5) + ')'.repeat(1e5)).test('');
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'regexdeep' };
}
