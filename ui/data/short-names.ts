/** The longest short name, in characters. */
const LONGEST_NAME = 18;

/** Names without what all of them share at both ends, cut in their middle where they are still too long. */
export function shortNames(names: readonly string[]): string[] {
  const first = sharedParts(names.map((name) => name.split('-')));
  const last = sharedParts(names.map((name) => name.split('-').slice(first).reverse()));
  return names.map((name) => {
    const parts = name.split('-');
    const short = parts.slice(first, parts.length - last).join('-');
    if (short === '') return name || 'all';
    if (short.length <= LONGEST_NAME) return short;
    return `${short.slice(0, LONGEST_NAME / 2)}…${short.slice(1 - LONGEST_NAME / 2)}`;
  });
}

/** How many parts, from the start on, are the same in all lists, leaving at least one part of each. */
function sharedParts(lists: readonly (readonly string[])[]): number {
  if (lists.length < 2) return 0;
  const most = Math.min(...lists.map((list) => list.length - 1));
  let shared = 0;
  while (shared < most && lists.every((list) => list[shared] === lists[0][shared])) shared++;
  return shared;
}
