// Puts songs and a playlist, then matches without a pause until the service has moved to another version and back.
//
//     node generated/build/cutover.js http://127.0.0.1:8000
//
// Prints what it saw as one JSON document; ends with 1 if a request failed or an answer was not of one version.

import { answeredBy, createClient, unwrap, type AnsweredBy } from "./client.js";

const LONGEST_SECONDS = 120;

const client = createClient({
  baseUrl: process.argv[2] ?? "http://127.0.0.1:8000",
  ...(process.env["AUTOSORT_KEY"] ? { apiKey: process.env["AUTOSORT_KEY"] } : {}),
  userId: "cutover-script",
});

const songs = ["Kettle on the Ice", "Lanterns Downriver", "The Last Tram to Ostby"].map((title, number) => ({
  song_id: `cutover-${number}`,
  title,
  artist: "Marit Hollow",
  description: "A quiet song with strings, about going home late in winter.",
}));

async function putLibrary(): Promise<void> {
  for (const { song_id, ...body } of songs.slice(0, 1)) {
    const kept = unwrap(await client.PUT("/songs/{song_id}", { params: { path: { song_id } }, body }));
    if (kept.embedding === null) throw new Error(`${song_id} has no vector: ${kept.set_aside}`);
  }
  unwrap(await client.POST("/songs:embed", { body: { songs } }));
  unwrap(
    await client.PUT("/playlists/{playlist_id}", {
      params: { path: { playlist_id: "cutover" } },
      body: { name: "Late trams in winter", song_ids: songs.map((song) => song.song_id), source: "manual" },
    }),
  );
}

async function match(): Promise<AnsweredBy> {
  const result = await client.POST("/match", {
    body: {
      songs: [{ song_id: "cutover-0" }, { title: "Snow on the Platform", description: "Strings, at night." }],
      top_k: 3,
    },
  });
  const body = unwrap(result);
  const by = answeredBy(result.response);
  if (body.model_version !== by.version || body.generation !== by.generation) {
    throw new Error(`the body says ${body.model_version}, the headers ${by.version}`);
  }
  if (!("results" in body) || body.results.length !== 2) throw new Error("two songs were asked for");
  return by;
}

async function giveFeedback(): Promise<number> {
  const said = { song_id: "cutover-0", playlist_id: "cutover", verdict: "accept" as const };
  return unwrap(await client.POST("/feedback", { body: { feedback: [said] } })).recorded;
}

async function main(): Promise<void> {
  await putLibrary();
  const seen: AnsweredBy[] = [];
  const deadline = Date.now() + LONGEST_SECONDS * 1000;
  let answers = 0;
  console.error("ready"); // whoever started this may move the pointer now
  while (seen.length < 3) {
    if (Date.now() > deadline) throw new Error(`within ${LONGEST_SECONDS} s only ${JSON.stringify(seen)} was seen`);
    const by = await match();
    const last = seen.at(-1);
    if (last && by.generation < last.generation) throw new Error("the generation went back");
    if (by.generation !== last?.generation) seen.push(by);
    answers += 1;
  }
  console.log(JSON.stringify({ answers, seen, feedback: await giveFeedback() }));
}

await main();
