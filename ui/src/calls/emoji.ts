/** Knows the pictures that two people compare in a call, by their names. */

const PICTURES: Record<string, string> = {
  dog: '🐶', cat: '🐱', lion: '🦁', horse: '🐎', unicorn: '🦄', pig: '🐷', elephant: '🐘', rabbit: '🐰',
  panda: '🐼', rooster: '🐓', penguin: '🐧', turtle: '🐢', fish: '🐟', octopus: '🐙', butterfly: '🦋', flower: '🌷',
  tree: '🌳', cactus: '🌵', mushroom: '🍄', globe: '🌍', moon: '🌙', cloud: '☁️', fire: '🔥', banana: '🍌',
  apple: '🍎', strawberry: '🍓', corn: '🌽', pizza: '🍕', cake: '🎂', heart: '❤️', smiley: '😀', robot: '🤖',
  hat: '🎩', glasses: '👓', spanner: '🔧', santa: '🎅', 'thumbs-up': '👍', umbrella: '☂️', hourglass: '⌛', clock: '⏰',
  gift: '🎁', 'light-bulb': '💡', book: '📕', pencil: '✏️', paperclip: '📎', scissors: '✂️', lock: '🔒', key: '🔑',
  hammer: '🔨', telephone: '☎️', flag: '🏁', train: '🚂', bicycle: '🚲', aeroplane: '✈️', rocket: '🚀', trophy: '🏆',
  ball: '⚽', guitar: '🎸', trumpet: '🎺', bell: '🔔', anchor: '⚓', headphones: '🎧', folder: '📁', pin: '📌',
};

const tidy = (name: string): string => name.trim().toLowerCase().replaceAll(/[\s_]+/g, '-');

/** The picture of a name, or nothing for a name nobody knows. */
export const pictureOf = (name: string): string | null => PICTURES[tidy(name)] ?? null;

/** The name as the catalogue has it. */
export const pictureName = (name: string): string => tidy(name);

let drawn: boolean | undefined;

/** Whether this computer has coloured pictures; without their font only empty boxes would be seen. */
export function picturesShow(): boolean {
  return (drawn ??= drawsInColour(Object.values(PICTURES)[0]!));
}

function drawsInColour(picture: string): boolean {
  if (typeof CanvasRenderingContext2D === 'undefined') return true;
  const pen = document.createElement('canvas').getContext('2d');
  if (!pen) return true;
  pen.font = "24px 'Noto Color Emoji', 'Apple Color Emoji', 'Segoe UI Emoji', sans-serif";
  pen.fillText(picture, 4, 28);
  const { data } = pen.getImageData(0, 0, 40, 40);
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3]! > 0 && (data[at] !== data[at + 1] || data[at] !== data[at + 2])) return true;
  }
  return false;
}
