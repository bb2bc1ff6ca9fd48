// Searches an object that claims to be 2^53 long.
function activate(url, bus) {
  const attack = () => {
    Array.prototype.indexOf.call({ length: Number.MAX_SAFE_INTEGER }, 'needle');
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'nativeindexof' };
}
