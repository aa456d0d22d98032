/** What is used of @vercel/ncc, which has no types of its own. */
declare module "@vercel/ncc" {
  interface Options {
    readonly quiet?: boolean;
    readonly cache?: boolean | string;
    readonly externals?: readonly string[];
    readonly target?: string;
  }

  interface Result {
    readonly code: string;
    readonly assets: Readonly<Record<string, { readonly source: string | Uint8Array }>>;
  }

  export default function ncc(input: string, options?: Options): Promise<Result>;
}
