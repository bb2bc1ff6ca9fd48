// Parses JSON nested a million deep.
function activate(url, bus) {
  const attack = () => {
    JSON.parse('['.repeat(1e6));
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'jsondeep' };
}
