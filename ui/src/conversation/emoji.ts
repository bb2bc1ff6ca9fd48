/** Lists the emoji that are offered: few enough to look through, many enough to answer with. */

/** What people react with most. */
export const QUICK = ['👍', '❤️', '😂', '😮', '😢', '🎉'] as const;

export const GROUPS = {
  faces: '😀 😃 😄 😁 😅 😂 🤣 🙂 🙃 😉 😊 😇 🥰 😍 😘 😋 😜 🤪 🤗 🤭 🤔 🤐 😐 😏 🙄 😬 😌 😔 😴 😷 🤒 🤢 🥵 🥶 😵 🤯 🥳 😎 🤓 😕 😟 🙁 😮 😲 😳 🥺 😢 😭 😱 😤 😡 💀 🤡 👻 🤖'.split(' '),
  hands: '👍 👎 👌 🤌 ✌️ 🤞 🤟 🤙 👈 👉 👆 👇 👋 🖐️ ✋ 👏 🙌 🫶 🙏 🤝 💪 👀 🧠 🫡 🤷 🤦 🙋 💃 🕺'.split(' '),
  hearts: '❤️ 🧡 💛 💚 💙 💜 🖤 🤍 🤎 💔 💕 💯 💥 💫 ⭐ 🌟 ✨ 🔥 ⚡ 🎉 🎊 🎁 🏆 🥇 🎯'.split(' '),
  nature: '🌱 🌷 🌹 🌻 🌳 🌵 🍀 🍁 🌈 ☀️ 🌤️ 🌧️ ❄️ 🌊 🌍 🌙 🐶 🐱 🐭 🦊 🐻 🐼 🐸 🐵 🦄 🐝 🐢 🐙 🐬 🦋'.split(' '),
  food: '🍎 🍌 🍓 🍇 🍉 🍋 🥑 🍅 🥕 🌽 🍞 🧀 🍔 🍟 🍕 🌮 🍝 🍜 🍣 🥗 🍰 🍪 🍫 🍦 ☕ 🍵 🍺 🍷 🥂'.split(' '),
  things: '⚽ 🏀 🎾 🎸 🎧 🎮 📷 💻 📱 💡 📚 ✏️ 📌 📎 ✂️ 🔑 🔒 ⏰ 💰 🚗 🚲 ✈️ 🚀 🏠 ⛺ ✅ ❌ ❓ ❗ ➕ 💤 🆗'.split(' '),
} as const satisfies Record<string, readonly string[]>;

export type Group = keyof typeof GROUPS;
