// Calls itself again from every finally: 2^depth calls.
function activate(url, bus) {
  const attack = () => {
    const down = () => {
      try {
        down();
      } finally {
        down();
      }
    };
    down();
  };
  bus.addListener(url, (message, reply) => {
    if (message.body.attack) attack();
    reply({ code: 200, value: 'alive' });
  });
  return { name: 'recursefinally' };
}
