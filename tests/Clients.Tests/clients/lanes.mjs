// Drives the openai npm SDK's ResponsesWS with several lanes on one socket, and forks a response that is not stored. Prints one JSON object: what each turn ended with.
import OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/beta/responses/ws';

const [baseURL, apiKey] = process.argv.slice(2);
const socket = new ResponsesWS(new OpenAI({ baseURL, apiKey }));
const running = new Map();
const strays = [];

socket.on('event', (event) => {
  const turn = running.get(event.stream_id ?? '');
  if (!turn) {
    strays.push(event.type);
    return;
  }
  turn.events.push(event.type);
  if (['response.completed', 'response.failed', 'response.incomplete', 'error'].includes(event.type)) {
    running.delete(event.stream_id ?? '');
    const text = event.response?.output?.[0]?.content?.[0]?.text;
    turn.ended({ type: event.type, code: event.error?.code ?? event.response?.error?.code, id: event.response?.id, text, events: turn.events });
  }
});
socket.on('error', (error) => {
  if (!error.error) {
    strays.push(`${error}`);
  }
});

function ask(lane, input, anchor) {
  return new Promise((ended) => {
    running.set(lane ?? '', { ended, events: [] });
    socket.send({
      type: 'response.create', model: 'gpt-5.5', store: false, input,
      ...(lane ? { stream_id: lane } : {}), ...(anchor ? { previous_response_id: anchor } : {}),
    });
  });
}

const seen = {};
seen.parent = await ask('main', 'the parent');
// Two at once, each on a lane of its own, and then each goes on.
[seen.left, seen.right] = await Promise.all([ask('left', 'the left fork', seen.parent.id), ask('right', 'the right fork', seen.parent.id)]);
[seen.leftOn, seen.rightOn] = await Promise.all([ask('left', 'further left', seen.left.id), ask('right', 'further right', seen.right.id)]);
// Beside them, lanes that have nothing to do with one another.
seen.others = await Promise.all(Array.from({ length: 6 }, (_, number) => ask(`lane-${number}`, `turn of lane ${number}`)));
seen.unnamed = await ask(undefined, 'on no lane');
seen.lost = await ask('main', 'after what never was', 'resp_never_was');
seen.after = await ask('main', 'it lives on');
seen.strays = strays;
socket.close();
console.log(JSON.stringify(seen));
