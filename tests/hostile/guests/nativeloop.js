// Spends all its time inside one built-in search over a long text.
function activate(url, bus) {
  const attack = () => {
    const hay = 'a'.repeat(1 << 22);
    const needle = 'a'.repeat(1 << 21) + 'b';
    for (;;) hay.indexOf(needle);
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'nativeloop' };
}
