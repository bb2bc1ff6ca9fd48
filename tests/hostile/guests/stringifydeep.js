// Writes an object nested a million deep as JSON.
function activate(url, bus) {
  const attack = () => {
    let nest = {};
    for (let i = 0; i < 1e6; i++) nest = { nest };
    JSON.stringify(nest);
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'stringifydeep' };
}
