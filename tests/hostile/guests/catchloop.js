// Runs for ever and swallows every attempt to interrupt it.
function activate(url, bus) {
  const attack = () => {
    const spin = () => {
      for (;;) {
        try {
          for (;;) {}
        } catch {
          continue;
        } finally {
          continue;
        }
      }
    };
    spin();
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'catchloop' };
}
