// Drives the openai npm SDK against the gateway and prints one JSON object of what it saw.
import OpenAI from 'openai';

const [baseURL, apiKey, wrongKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const seen = {};

const created = await client.responses.create({ model: 'gpt-5.5', input: 'made by node' });
seen.created = { id: created.id, text: created.output_text };

const stream = await client.responses.create({ model: 'gpt-5.5', input: 'streamed by node', stream: true });
seen.events = [];
for await (const event of stream) {
  seen.events.push(event.type);
}

const followed = await client.responses.create({ model: 'gpt-5.5', input: 'and on', previous_response_id: created.id });
seen.followed = { id: followed.id, text: followed.output_text };

seen.retrieved = (await client.responses.retrieve(created.id)).id;
seen.items = (await client.responses.inputItems.list(created.id)).data.length;
seen.models = (await client.models.list()).data.map((model) => model.id);
const conversation = await client.conversations.create({});
seen.inConversation = (await client.responses.create({ model: 'gpt-5.5', input: 'in a conversation', conversation: conversation.id })).output_text;
await client.responses.delete(created.id);

async function errorOf(call) {
  try {
    await call();
    return { none: true };
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, retryAfter: error.headers?.get?.('retry-after') };
  }
}

seen.errors = {
  deleted: await errorOf(() => client.responses.retrieve(created.id)),
  key: await errorOf(() => new OpenAI({ baseURL, apiKey: wrongKey, maxRetries: 0 }).responses.create({ model: 'gpt-5.5', input: 'x' })),
  // First it is asked to retry, since the owner may be away; then it is told.
  badRequest: await errorOf(() => new OpenAI({ baseURL, apiKey, maxRetries: 1 }).responses.create({ model: 'gpt-5.5', input: 'x', previous_response_id: 'resp_nobody' })),
  rateLimit: await errorOf(() => client.responses.create({ model: 'gpt-5.5', input: 'please 429' })),
  server: await errorOf(() => client.responses.create({ model: 'gpt-5.5', input: 'please 500' })),
};
seen.retried = (await new OpenAI({ baseURL, apiKey }).responses.create({ model: 'gpt-5.5', input: 'please fail once' })).output_text;

console.log(JSON.stringify(seen));
