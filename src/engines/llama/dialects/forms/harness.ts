/** Replies in forms that are read off a template alone, and what they say. */
import type { Sample } from '../harness.ts'

const named = (name: string, index: number, args: string) =>
  `<|call_begin|>functions.${name}:${index}<|arguments_begin|>${args}<|call_end|>`
const oslo = '{"city": "Oslo"}'
const thinking = { prompt: ']~b]assistant\n<think>\n' }
const row = (key: string, text: boolean, value: string) =>
  `<parameter name="${key}" string="${text}">${value}</parameter>\n`

export const formSamples: readonly Sample[] = [
  {
    name: 'calls of Python',
    file: 'python-calls',
    text: `Wait.\n<|tool_call_start|>[get_weather(city='O\\'slo "\\u00e9\\ud83d"', days=2, list=[1, 'a', None,], where={'x': (True, -1.5)}), now()]<|tool_call_end|>\nSo`,
    said: [
      'Wait.',
      `get_weather={"city": "O'slo \\"é\\ud83d\\"", "days": 2, "list": [1, "a", null], "where": {"x": [true, -1.5]}}`,
      'now={}',
      'So',
    ],
  },
  {
    name: 'calls of Python, cut off',
    file: 'python-calls',
    text: '<|tool_call_start|>[get_weather(city="Os',
    said: ['get_weather={"city": "Os'],
  },
  {
    name: 'a list that calls nothing',
    file: 'python-calls',
    text: '<|tool_call_start|>[1, 2]<|tool_call_end|>',
    said: ['<|tool_call_start|>[1, 2]<|tool_call_end|>'],
  },
  {
    name: 'words of Python that are none of JSON',
    file: 'python-calls',
    text: '<|tool_call_start|>[now(a=oslo, b=007, c=1e3)]<|tool_call_end|>',
    said: ['now={"a": "oslo", "b": "007", "c": 1e3}'],
  },
  {
    name: 'braces, and texts in marks',
    file: 'braces',
    text: 'Ok<|tool_call>call:get_weather{city:<|"|>Os"lo\n{a,b}<|"|>,days:2,where:{x:1.5,list:[<|"|>a<|"|>,true,word]}}<tool_call|><|tool_call>call:now{}<tool_call|>',
    said: [
      'Ok',
      'get_weather={"city": "Os\\"lo\\n{a,b}", "days": 2, "where": {"x": 1.5, "list": ["a", true, "word"]}}',
      'now={}',
    ],
  },
  {
    name: 'JSON where braces are usual',
    file: 'braces',
    text: '<|tool_call>call:get_weather{"city": "Oslo", "days": 2}<tool_call|>',
    said: ['get_weather={"city": "Oslo", "days": 2}'],
  },
  {
    name: 'a thought in marks of its own',
    file: 'braces',
    text: '<|channel>thought\nHm\n<channel|>Yes',
    said: ['(Hm)', 'Yes'],
  },
  { name: 'braces cut off', file: 'braces', text: '<|tool_call>call:now{a:{b:[1,', said: ['now={"a": {"b": [1, '] },
  {
    name: 'names and arguments between marks, with numbers',
    file: 'named',
    text: `<|calls_begin|>${named('get_weather', 0, oslo)}${named('now', 1, '{}')}<|calls_end|>`,
    said: [`get_weather=${oslo}`, 'now={}'],
  },
  {
    name: 'the same with white space, and a number as the model likes it',
    file: 'named',
    text: `Well <|calls_begin|>\n <|call_begin|>functions.now:7 <|arguments_begin|> {} <|call_end|>\n${named('now', 1, '{}')} <|calls_end|> ok`,
    said: ['Well', 'now={}', 'now={}', 'ok'],
  },
  {
    name: 'a frame that holds no call',
    file: 'named',
    text: '<|calls_begin|><|call_begin|>now<|calls_end|>',
    said: ['<|calls_begin|><|call_begin|>now<|calls_end|>'],
  },
  {
    name: 'rows that tell what is text',
    file: 'rows',
    options: thinking,
    text: `Hm\n</think>\n\n<own:calls>\n<invoke name="get_weather">\n${row('city', true, '5 < "6"\n')}${row('days', false, '2')}</invoke>\n<invoke name="now">\n</invoke>\n</own:calls>`,
    said: ['(Hm)', 'get_weather={"city": "5 < \\"6\\"", "days": 2}', 'now={}'],
  },
  {
    name: 'rows cut off',
    file: 'rows',
    text: '<own:calls>\n<invoke name="get_weather">\n<parameter name="city" string="true">Os',
    said: ['get_weather={"city": "Os'],
  },
  {
    name: 'a frame without its rows',
    file: 'rows',
    text: '<own:calls>\n<invoke name="x',
    said: ['<own:calls>\n<invoke name="x'],
  },
  {
    name: 'JSON under the name of the function',
    file: 'keyed',
    text: `a <|tools_prefix|>[{"get_weather": ${oslo}}, {"now": {}}]<|tools_suffix|> b`,
    said: ['a', `get_weather=${oslo}`, 'now={}', 'b'],
  },
  {
    name: 'JSON under another name',
    file: 'keyed',
    text: '<|tools_prefix|>[{"other": {}}]',
    said: ['<|tools_prefix|>[{"other": {}}]'],
  },
  {
    name: 'a thought and actions',
    file: 'actions',
    text: `<|START_THINKING|>Hm<|END_THINKING|><|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "get_weather", "parameters": ${oslo}},\n    {"tool_call_id": "1", "tool_name": "now", "parameters": {}}\n]<|END_ACTION|>`,
    said: ['(Hm)', `get_weather=${oslo}`, 'now={}'],
  },
  {
    name: 'an answer in marks',
    file: 'actions',
    text: '<|START_THINKING|>Hm<|END_THINKING|><|START_RESPONSE|>Yes, [1].<|END_RESPONSE|>',
    said: ['(Hm)', 'Yes, [1].'],
  },
  { name: 'an answer without them', file: 'actions', text: ' Yes. ', said: [' Yes. '] },
]
