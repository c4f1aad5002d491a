// Types of peel-client.js. Members that are missing from an answer are optional here; docs/API.md explains them.

export type Rating = 'g' | 'pg' | 'pg-13' | 'r';

export interface Sticker {
  filename: string;
  title: string;
  /** Whole addresses. */
  url: string;
  thumbnail: string;
  /** The receipt of the search that found it, for `tell` and `feedback`. */
  query_id?: string;
  /** From 1, among all results of the search. */
  rank?: number;
  score?: number;
  /** How likely it fits, 0 to 1. */
  confidence?: number;
  pinned?: boolean;
  /** What the image shows, in the language of the search. */
  alt?: string;
  author?: string;
  license?: string;
  source?: string;
  pack?: string;
  mime?: string;
  width?: number;
  height?: number;
  /** Of an animation. */
  frames?: number;
  duration_ms?: number;
  animated?: boolean;
  rating?: Rating;
  /** In the language that was asked for; only of `Peel.sticker`. */
  keywords?: string[];
}

export interface Found {
  results: Sticker[];
  /** Their filenames. */
  stickers: string[];
  query_id?: string;
  /** Of all results, where there are more than these. */
  total?: number;
}
export interface SearchAnswer extends Found {
  query: string;
  total: number;
  language: string;
  ranking: string;
  /** The query with misspelled words replaced. */
  corrected?: string;
  legs?: string[];
  /** The search was answered from keywords alone. */
  degraded?: true;
}
export interface Trending extends Found {
  queries: string[];
}
export interface Suggestion {
  text: string;
  kind: 'query' | 'title' | 'word';
}
export interface Category {
  id: string;
  name: string;
  /** What to search for. */
  query: string;
  /** An address for `Peel.address`. */
  cover?: string;
}
export interface Pack {
  name: string;
  /** What to call it. */
  title: string;
  /** Of the pack as a whole, as licence and source; missing where unknown. */
  author?: string;
  license?: string;
  source?: string;
  stickers: number;
  animated: number;
  /** The highest rating of its stickers. */
  rating: Rating;
  /** An address for `Peel.address`. */
  cover?: string;
  /** Those of the most stickers first, as the licences; only of `Peel.pack`. */
  authors?: string[];
  licenses?: string[];
}
export interface PackPage extends Found {
  pack: Pack;
  /** The `cursor` of the next page; missing on the last one. */
  next?: string;
}

/** By search and voter: of each sticker one list at most. */
export interface Vote {
  /** The receipt of the search, or its query. */
  query_id?: string;
  query?: string;
  voter?: string;
  positive?: string[];
  negative?: string[];
  withdrawn?: string[];
}

export type Action = 'impression' | 'click' | 'copy' | 'share' | 'favourite' | 'vote_up' | 'vote_down' | 'undo' | 'report';

export interface Options {
  /** Language of people's queries, such as "pt-BR". */
  lang?: string;
  /** Your app's own id of the person or device, for votes and events. */
  client?: string;
  /** An API token. Never in a page or an app that others can read. */
  token?: string;
  /** Time for one attempt. Default 5000. */
  timeoutMs?: number;
  /** Further attempts after no answer, 429 or 503. Default 2. */
  retries?: number;
  fetch?: typeof globalThis.fetch;
}
export interface Asked {
  lang?: string;
  signal?: AbortSignal;
}
export interface Filters extends Asked {
  limit?: number;
  pack?: string;
  /** At most this rating. */
  rating?: Rating;
  animated?: boolean;
  /** Members that results shall have, separated by commas. */
  fields?: string;
}
export interface SearchOptions extends Filters {
  offset?: number;
  /** 0: no results that are only tried out. */
  explore?: 0 | 1;
}

/** What is said of a sticker, as PATCH /api/stickers/<filename> takes it; null empties. */
export interface About {
  title?: string;
  /** By language, as the keywords: { de: 'Katze' }, { en: ['cat', 'kitten'] }. */
  titles?: Record<string, string | null>;
  keywords?: Record<string, string[] | null>;
  pack?: string | null;
  rating?: Rating;
  author?: string | null;
  license?: string | null;
  source?: string | null;
  animated?: boolean;
}

export declare class PeelError extends Error {
  /** Of the answer; 0 when there was none. */
  readonly status: number;
  readonly retryAfterMs?: number;
  /** Whether the same request may succeed later. */
  readonly temporary: boolean;
}

export declare class Peel {
  constructor(server: string | URL, options?: Options);
  search(query: string, options?: SearchOptions): Promise<SearchAnswer>;
  /** All stickers of a search, page after page of `limit` stickers, until the caller stops. */
  pages(query: string, options?: SearchOptions): AsyncGenerator<Sticker, void, undefined>;
  suggest(prefix: string, options?: Asked & { limit?: number }): Promise<Suggestion[]>;
  trending(options?: Filters): Promise<Trending>;
  random(options?: Filters): Promise<Found>;
  similar(filename: string, options?: Filters): Promise<Found>;
  sticker(filename: string, options?: Asked): Promise<Sticker>;
  categories(options?: Asked): Promise<Category[]>;
  packs(options?: Asked): Promise<Pack[]>;
  /** A page of a pack's stickers, in their order. */
  pack(name: string, options?: Omit<Filters, 'pack'> & { cursor?: string }): Promise<PackPage>;
  /** A path of this server as a whole address. */
  address(path: string): string;
  /** Counts votes; the stickers that the server does not know. `keepalive`: also when the page goes away, up to 64 KiB. */
  feedback(votes: Vote | Vote[], options?: { signal?: AbortSignal; keepalive?: boolean }): Promise<string[]>;
  /** Tells what somebody did with a sticker of an answer. Sent together with others, a little later. */
  tell(action: Action, sticker: Pick<Sticker, 'filename' | 'query_id' | 'rank'>, more?: { position?: number; timestamp?: string; client_id?: string }): void;
  /** Sends the events that wait, now. */
  flush(): Promise<void>;
  /** Adds a sticker, or replaces its image and what `about` names. Needs a token. */
  upload(filename: string, image: Blob | BufferSource, about?: About, options?: { signal?: AbortSignal }): Promise<Sticker>;
  /** Moves a sticker to the trash. Needs a token. */
  remove(filename: string, options?: { signal?: AbortSignal }): Promise<void>;
}
