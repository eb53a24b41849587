// What each contract's server says: type of frame, and its data. Made by `python -m infra.clients`.

type Data = Record<string, any>;

/** The feed's types of event. */
export const FEED_EVENTS = [
  "bonus_earned",
];

export interface Frames {
  feed: Record<string, Data>;
  courier: Record<string, Data>;
  customer: Record<string, Data>;
  rides: Record<string, Data>;
  food: Record<string, Data>;
  drivers: Record<string, Data>;
}
