/** English texts of the language model. */
import type { ruLlm } from './ru-llm';

export const enLlm: typeof ruLlm = {
  llm: {
    title: 'Language model',
    off: 'Off: calls are scored by rules, no text is sent anywhere. Section [llm] of the settings turns it on.',
    server: 'Server',
    local: 'this machine',
    foreign: 'elsewhere, personal data is hidden',
    model: 'Model',
    waiting: 'Waiting to be judged',
    today: 'Today',
    spent: (requests: string, input: string, output: string) => `${requests} requests, ${input} tokens read and ${output} written`,
    cost: 'Cost of today',
    of: (spent: string, budget: string) => `${spent} of ${budget}`,
    resume: 'Try now',
    until: (time: string) => `Paused until ${time}.`,
    stopped: 'The language model does not judge calls, the rules do.',
    days: 'Spending by day',
    dayColumns: ['Day', 'Model', 'Requests', 'Tokens', 'Cost'],
    ledger: 'What was sent to the model',
    nothing: 'Nothing was sent.',
    columns: ['Time', 'Call', 'Characters', 'Hidden', 'Tokens', 'Outcome'],
    ok: 'ok',
  },
};
