/** Thinks about a call of several people: who is shown, who speaks, and how many stand side by side. */
import type { CallView, JointPerson } from '../shell/shell';
import { isSpeaking } from './calls.svelte';

/** People in a joint call, with oneself. */
export const JOINT_LIMIT = 6;
/** Louder than this is speaking. */
const SPEAKS = 15;

/** How somebody is in the call, as one sees it. */
export type Standing = 'speaking' | 'here' | 'asked' | 'coming' | 'lost' | 'blocked';

export interface Cell {
  user: string;
  name: string;
  standing: Standing;
  /** The call with them, if there is one. */
  leg: CallView | null;
  /** They are in the contacts. */
  known: boolean;
}

/** Whether one hears them, or would if they spoke. */
export const isHere = ({ standing }: Cell): boolean => standing === 'here' || standing === 'speaking';

/** Whether they show a screen that can be seen. */
export const showsScreen = (cell: Cell): boolean => isHere(cell) && cell.leg !== null && cell.leg.pictures.screen;

/** Everybody who is to be seen beside oneself: who is here, who is asked, and who was lost. */
export function cellsOf(legs: CallView[]): Cell[] {
  const joint = legs.findLast((leg) => leg.joint !== null)?.joint;
  const people = joint?.people ?? legs.map(({ user, name }): JointPerson => ({ user, name, place: 'here', blocked: false, known: true }));
  return people.flatMap((person) => {
    const leg = legs.find((one) => one.user === person.user) ?? null;
    const standing = standingOf(person, leg);
    return standing === null ? [] : [{ user: person.user, name: leg?.name || person.name, standing, leg, known: person.known }];
  });
}

function standingOf(person: JointPerson, leg: CallView | null): Standing | null {
  if (person.blocked) return person.place === 'gone' ? null : 'blocked';
  if (leg?.stage.at === 'ended') return 'lost';
  if (leg && isSpeaking(leg.stage)) return leg.stage.at === 'connected' && leg.hold === 'no' && leg.outputLevel > SPEAKS ? 'speaking' : 'here';
  if (leg) return leg.stage.at === 'finding' || leg.stage.at === 'ringing' ? 'asked' : 'coming';
  return { asked: 'asked', here: 'coming', gone: null }[person.place] as Standing | null;
}

/** Columns for so many cells: as near to a square as can be. */
export const columnsOf = (count: number): number => Math.ceil(Math.sqrt(Math.max(count, 1)));

/** Who is shown large: whom one chose, else who shows a screen, else who speaks loudest, else who was shown before, else anybody. */
export function largeOf(cells: Cell[], chosen: string | null, before: string | null): Cell | null {
  const of = (user: string | null) => cells.find((cell) => cell.user === user) ?? null;
  const loud = cells.filter((cell) => cell.standing === 'speaking').toSorted((a, b) => b.leg!.outputLevel - a.leg!.outputLevel);
  // Whoever shows a screen wants it to be read.
  const shows = cells.filter(showsScreen);
  const shown = shows.find((cell) => cell.user === before) ?? shows[0];
  // A cough does not take the place of who is speaking already.
  const still = loud.find((cell) => cell.user === before);
  return of(chosen) ?? shown ?? still ?? loud[0] ?? of(before) ?? cells.find((cell) => cell.standing === 'here') ?? cells[0] ?? null;
}
