export function ServerView({ id }: { id: string | null }) {
  return <p>{id}</p>;
}
