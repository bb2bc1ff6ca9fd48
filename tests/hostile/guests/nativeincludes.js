// Asks an object that claims to be 2^53 long whether it includes something.
function activate(url, bus) {
  const attack = () => {
    Array.prototype.includes.call({ length: Number.MAX_SAFE_INTEGER }, 'needle');
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'nativeincludes' };
}
