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

/** The picture of a name; a name nobody knows is its own picture. */
export const pictureOf = (name: string): string | null => PICTURES[tidy(name)] ?? null;

/** The name as the catalogue has it. */
export const pictureName = (name: string): string => tidy(name);

export const pictureNames: readonly string[] = Object.keys(PICTURES);
