// Streams turns with the openai npm SDK, each client one after the other, until stdin says stop or ends. Prints one JSON object for each turn.
// Half of the clients have a conversation upstream that goes on with every turn, half have none, but a thread of their own.
import OpenAI from 'openai';
import { setTimeout as pause } from 'node:timers/promises';

const [baseURL, apiKey, count] = process.argv.slice(2);
const sdk = new OpenAI({ baseURL, apiKey, maxRetries: 0 });

let stopped = false;
process.stdin.once('data', () => { stopped = true; });
process.stdin.once('end', () => { stopped = true; });

async function turn(body, options) {
  const stream = await sdk.responses.create({ model: 'gpt-5.5', stream: true, ...body }, options);
  let [text, whole, last] = ['', null, null];
  for await (const event of stream) {
    last = event;
    if (event.type === 'response.output_text.delta') {
      text += event.delta;
    } else if (event.type === 'response.output_text.done') {
      whole = event.text;
    }
  }
  if (last?.type !== 'response.completed' || text !== whole) {
    throw new Error(`The last of its events is ${JSON.stringify(last)} after ${text.length} characters.`);
  }
  return last.response.id;
}

async function run(client) {
  const store = client % 2 === 1;
  let previous;
  for (let number = 0; !stopped; number++) {
    const began = performance.now();
    const seen = { client, number };
    try {
      const input = `${store ? 'stored' : 'threaded'} turn ${number} of ${client}`;
      const id = store
        ? await turn({ store, input, previous_response_id: previous })
        : await turn({ store, input }, { headers: { 'thread-id': `rolling-${client}` } });
      previous = id;
    } catch (error) {
      seen.failure = { name: error.constructor.name, status: error.status, code: error.code, message: error.message, cause: error.cause?.code };
    }
    seen.ms = Math.round(performance.now() - began);
    console.log(JSON.stringify(seen));
    if (seen.failure) {
      // Whatever is wrong: not as fast as it can be asked for.
      await pause(100);
    }
  }
}

await Promise.all(Array.from({ length: Number(count) }, (_, client) => run(client)));
process.stdin.destroy();
