// Drives the openai npm SDK against two edges over a pool of two accounts, and prints one JSON object of what it saw.
import OpenAI, { toFile } from 'openai';

const [first, second, apiKey, upstream] = process.argv.slice(2);
const edges = [first, second].map((baseURL) => new OpenAI({ baseURL, apiKey, maxRetries: 0 }));
const seen = { stores: [], containers: [], uploads: [], items: [], encrypted: [] };
const model = 'gpt-5.5';

// Each is made on one edge and used on the other; by whichever account, it must be found again.
for (let turn = 0; turn < 4; turn++) {
  const [here, there] = turn % 2 === 0 ? edges : [...edges].reverse();

  const store = await here.vectorStores.create({ name: `store ${turn}` });
  const searched = await there.responses.create({ model, input: 'look it up', tools: [{ type: 'file_search', vector_store_ids: [store.id] }] });
  seen.stores.push((await there.vectorStores.retrieve(store.id)).id === store.id && searched.status);

  const container = await here.containers.create({ name: `container ${turn}` });
  const ran = await there.responses.create({ model, input: 'run it', tools: [{ type: 'code_interpreter', container: container.id }] });
  seen.containers.push((await there.containers.retrieve(container.id)).id === container.id && ran.status);

  const upload = await here.uploads.create({ bytes: 10, filename: 'a.txt', mime_type: 'text/plain', purpose: 'user_data' });
  const part = await there.uploads.parts.create(upload.id, { data: await toFile(Buffer.from('0123456789'), 'part') });
  const whole = await here.uploads.complete(upload.id, { part_ids: [part.id] });
  const file = await there.files.retrieve(whole.file.id);
  const attached = await there.vectorStores.create({ name: 'of a file', file_ids: [file.id] });
  const read = await here.responses.create({ model, input: [{ role: 'user', content: [{ type: 'input_file', file_id: file.id }] }] });
  seen.uploads.push(Boolean(attached.id) && read.status);

  const said = await here.responses.create({ model, input: `said ${turn}` });
  const referred = await there.responses.create({ model, input: [{ type: 'item_reference', id: said.output[0].id }, { role: 'user', content: 'and?' }] });
  seen.items.push(referred.status);

  const thought = await here.responses.create({ model, input: 'think', store: false, include: ['reasoning.encrypted_content'], reasoning: { effort: 'low' } });
  const further = await there.responses.create({ model, store: false, input: [...thought.output, { role: 'user', content: 'more' }] });
  seen.encrypted.push(further.status);
}

// A response in the background, whose stream is cut at upstream, is gone on with on the other edge.
const events = [];
const stream = await edges[0].responses.create({ model, input: 'in the background', background: true, stream: true });
for await (const event of stream) {
  events.push(event);
  if (events.length === 6) {
    await fetch(`${upstream}_sim/kill`, { method: 'POST' });
  }
}
seen.cutAfter = events.length;
const id = events[0].response.id;
const rest = await edges[1].responses.retrieve(id, { stream: true, starting_after: events.at(-1).sequence_number });
for await (const event of rest) {
  events.push(event);
}
seen.numbers = events.map((event) => event.sequence_number);
seen.last = events.at(-1).type;
seen.text = events.filter((event) => event.type === 'response.output_text.delta').map((event) => event.delta).join('');
seen.whole = (await edges[1].responses.retrieve(id)).output_text;

console.log(JSON.stringify(seen));
