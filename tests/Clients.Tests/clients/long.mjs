// Holds conversations over sessions with the openai npm SDK. Each begins with a turn at the edge that is to hold its session, and goes on with a long one,
// through that edge or another. Prints one JSON object for each event of the long turns, and one when such a turn is over.
import OpenAI from 'openai';

const [apiKey, ...conversations] = process.argv.slice(2);

async function run({ name, holder, through }) {
  const options = { headers: { 'thread-id': `long-${name}` } };
  const body = { model: 'gpt-5.5', store: false };
  const first = await new OpenAI({ baseURL: holder, apiKey, maxRetries: 0 }).responses.create({ ...body, input: `first of ${name}` }, options);

  const end = { name, end: true };
  try {
    const sdk = new OpenAI({ baseURL: through, apiKey, maxRetries: 0 });
    const stream = await sdk.responses.create({ ...body, input: `long of ${name}`, stream: true, previous_response_id: first.id }, options);
    for await (const event of stream) {
      console.log(JSON.stringify({ name, type: event.type }));
      end.last = event.type;
      end.code = event.response?.error?.code;
    }
  } catch (error) {
    end.failure = { name: error.constructor.name, status: error.status, code: error.code, message: error.message, cause: error.cause?.code };
  }
  console.log(JSON.stringify(end));
}

await Promise.all(conversations.map((conversation) => run(JSON.parse(conversation))));
