/** What of the demo's screens can be shown. */
import type { ScreenSource } from './shell';

const DESK = '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA4KCw0LCQ4NDA0QDw4RFiQXFhQUFiwgIRokNC43NjMuMjI6QVNGOj1OPjIySGJJTlZYXV5dOEVmbWVabFNbXVn/2wBDAQ8QEBYTFioXFypZOzI7WVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVn/wAARCAA8AGADASIAAhEBAxEB/8QAGwABAAMBAAMAAAAAAAAAAAAAAAMEBQcBAgb/xAAxEAABAgMFBwIFBQAAAAAAAAAAAhEBAwQFEhWi0QYUVFVjk7I1dBMhJjGCQUJRYYH/xAAZAQADAQEBAAAAAAAAAAAAAAAAAQMEAgX/xAAeEQACAQUBAQEAAAAAAAAAAAAAAQIREhMhUQMxIv/aAAwDAQACEQMRAD8AznDkV4klJ+LMgh2f9T0zAeXDljcuplG5dTKdWs5uRXcOWNy6mUbl1MoWsLkV3DljcuplG5dTKFrC5Fdw5MukuoUr4jtB/sVLwnVfRqj+ErhyK8LwqjoRuaezsmXU23TypybyFXng7ftjEyHNjZSP1HSfn4KJSdEykVs+4wWz+Hzq1GC2fw+dWpoAyZJ9Zoxx4Z+C2fw+dWowWz+Hzq1NABkn1hjjwz8Fs/h86tRgtn8PnVqaADJPrDHHhjWlZFDKsyrmIkMpElaoRvq+UYJj/ZzxzqFr+jV3t5njE5W5fyk2nVkvSKT0iRw5G4ctUnQivG1slF9pKT8/BRgubWyEfqaj/PwUTk/yykVs6eADGaAAAAAAAKdsei1/t5njE5NeOsWz6JX+3meMTkbmjx+Ml6fSS8LxG4crUnQjvHvJqJtPNTNkTFypifstCowjD/YEDhzk6NHGbT5jWd9Woxm0+Y1nfVqZzhxaGaOM2nzGs76tRjNp8xrO+rUznDhoDRxm0+Y1nfVqMZtPmNZ31amc4cNAaC7WtGYhSJlfVLQqEYKSqcqMIw/iPzKd4jcOMRJeF4jcOFQP/9k=';
const PAGE = '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA4KCw0LCQ4NDA0QDw4RFiQXFhQUFiwgIRokNC43NjMuMjI6QVNGOj1OPjIySGJJTlZYXV5dOEVmbWVabFNbXVn/2wBDAQ8QEBYTFioXFypZOzI7WVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVn/wAARCAA8AGADASIAAhEBAxEB/8QAGQABAQEBAQEAAAAAAAAAAAAAAAMEBwIF/8QAKhAAAQEFBgcBAQEAAAAAAAAAAAIBAwQRFBVSVJOh0RITJDFjovBBMiH/xAAWAQEBAQAAAAAAAAAAAAAAAAAAAQT/xAAZEQEAAwEBAAAAAAAAAAAAAAAAAREUUSH/2gAMAwEAAhEDEQA/APnA6ZZkBgYXKTsLMgMDC5SdiUyZ565mDplmQGBhcpOwsyAwMLlJ2FGeeuZg6ZZkBgYXKTsLMgMDC5SdhRnnrmYOmWZAYGFyk7CzIDAwuUnYUZ565mDplmQGBhcpOwsyAwMLlJ2FGeeuZg6ZZkBgYXKTsLMgMDC5SdhRnnrQ9RzHbUTlP9M1D5PU0vePlt5f9fhm6z6RWqSh8nqKHyeo6z6Q6z6QTwofJ6ih8nqOs+kOs+kDxdw65KGp4pzbPsVMfWfSHWfSC22AyIquNPF/M/8Ae3Y1hQAAeHq+W7auU5fhmrfH7GpamIS1SmyYwnVOb+jQiNb4/YVvj9i1U5v6NFU5v6NAjW+P2NSFcSEq7TZMnVOb+jRVOb+jQLAjVOb+jT0h87eNkhU29+wVQAAAAB5Wli0tSpk2NJ0rm5q0sAI0rm5q0Urm5q0sAUjSubmrRSubmrSwBSNK5uatPSHLt22aEyb27lAAAAAAAf/Z';

/** Two screens and three windows, one of which could not be looked at. */
export const sampleScreens = (): ScreenSource[] => [
  { id: 'screen:0', kind: 'screen', name: 'eDP-1', width: 1920, height: 1200, preview: DESK },
  { id: 'screen:1', kind: 'screen', name: '', width: 2560, height: 1440, preview: DESK },
  { id: 'window:1', kind: 'window', name: 'Budget 2027 – Sheets', width: 1280, height: 800, preview: PAGE },
  { id: 'window:2', kind: 'window', name: 'Minutes of the meeting of the choir on the 12th of November – Editor', width: 900, height: 1100, preview: PAGE },
  { id: 'window:3', kind: 'window', name: 'Terminal', width: 800, height: 600, preview: null },
];
