/**
 * Sentences written for this evaluation: [anchor, means about the same, shares words or topic but means something else].
 * No tuning looked at them.
 */
export const TRIPLES: Record<'English' | 'Chinese' | 'cross-lingual', readonly (readonly [string, string, string])[]> =
  {
    English: [
      ['How do I reset my password?', 'I forgot my login code, what should I do?', 'How do I reset my alarm clock?'],
      ['The cat sat on the mat.', 'A kitten is resting on the rug.', 'The stock market fell on Monday.'],
      ['What is the weather like today?', 'Will it rain this afternoon?', 'What is the exchange rate today?'],
      [
        'The physician examined the patient.',
        'A doctor checked the sick man.',
        'The teacher examined the exam papers.',
      ],
      ['He purchased a new automobile.', 'He bought a new car.', 'He sold an old house.'],
      ['The child is crying.', 'A baby is weeping.', 'The child is running.'],
      [
        'I would like to cancel my subscription.',
        'Please stop my membership.',
        'I would like to buy a subscription for a friend.',
      ],
      [
        'Turn off the lights in the bedroom.',
        'Make the bedroom dark, switch the lamp off.',
        'Turn on the radio in the bedroom.',
      ],
      ['My parcel has not arrived.', 'The package I ordered is still missing.', 'My flight has arrived early.'],
      ['The film was boring.', 'I found the movie dull.', 'The film was brilliant and exciting.'],
      ['She is very happy.', 'She feels joyful and glad.', 'She is very tall.'],
      [
        'The company dismissed 200 workers.',
        'Two hundred employees were fired by the firm.',
        'The company hired a new director.',
      ],
      ['How can I lose weight?', 'What diet helps to get thinner?', 'How can I lose my accent?'],
      ['The plane took off at noon.', 'The aircraft departed at midday.', 'The plane tickets were cheap.'],
      ['I have a headache.', 'My head hurts.', 'I have a heavy bag.'],
      ['Where can I get something to eat?', 'Is there a restaurant nearby?', 'Where can I get my shoes repaired?'],
      ['The king died in battle.', 'The monarch was killed in the war.', 'The king married in spring.'],
      ['Delete all files in a folder', 'Remove every document from the directory', 'Print all files in a folder'],
      ['The soup is too hot to eat.', 'The broth burns my mouth.', 'The room is too hot to sleep.'],
      ['It is forbidden to smoke here.', 'Smoking is not allowed in this place.', 'It is nice to sit here.'],
    ],
    Chinese: [
      ['我忘记了密码。', '我不记得登录口令了。', '我忘记了带伞。'],
      ['今天天气怎么样？', '今天会下雨吗？', '今天晚饭怎么样？'],
      ['他买了一辆新汽车。', '他购买了一台新车。', '他卖了一栋老房子。'],
      ['这部电影很无聊。', '这个片子没意思。', '这部电影很精彩。'],
      ['附近有什么餐馆吗？', '周边有吃饭的地方吗？', '附近有什么地铁站吗？'],
      ['孩子在哭。', '小孩流眼泪了。', '孩子在跑步。'],
      ['谢谢你的帮助。', '非常感谢您帮忙。', '你的帮助文档在哪里？'],
      ['这家酒店多少钱一晚？', '住这个宾馆的价格是多少？', '这家酒店的电话是多少？'],
      ['我很高兴。', '我感到开心。', '我很高。'],
      ['医生给病人做了检查。', '大夫看了病。', '老师给学生做了检查。'],
      ['我听不懂你说的话。', '我不明白你的意思。', '我听见你唱的歌。'],
      ['列出目录中的所有文件', '显示文件夹里的文件', '打开电视机'],
    ],
    'cross-lingual': [
      ['今天天气怎么样？', 'What is the weather like today?', 'What is the price of this book?'],
      ['我喜欢吃苹果。', 'I like to eat apples.', 'I like to drive fast cars.'],
      ['他是我的老师。', 'He is my teacher.', 'She is my sister.'],
      ['火车什么时候出发？', 'When does the train leave?', 'When does the shop open?'],
      ['请把门关上。', 'Please close the door.', 'Please open the window.'],
      ['我昨天去了医院。', 'I went to the hospital yesterday.', 'I will go to school tomorrow.'],
      ['她会说三种语言。', 'She can speak three languages.', 'She has three children.'],
      ['删除一个文件', 'Delete a file', 'Start a server'],
      ['他每天早上喝咖啡。', 'He drinks coffee every morning.', 'He plays tennis every weekend.'],
      ['我们需要更多的钱。', 'We need more money.', 'We need less noise.'],
      ['那只狗很大。', 'That dog is big.', 'That house is small.'],
      ['音樂讓我快樂。', 'Music makes me happy.', 'Rain makes me sleepy.'],
    ],
  }

/** Pairs without a common meaning: their cosine should be near zero. */
export const UNRELATED: readonly (readonly [string, string])[] = [
  ['How do I reset my password?', 'The elephant is the largest land animal.'],
  ['Stocks fell sharply today.', 'My grandmother bakes wonderful bread.'],
  ['The weather is nice.', 'The committee rejected the proposal.'],
  ['Please book a table for two.', 'Water consists of hydrogen and oxygen.'],
  ['He broke his leg skiing.', 'The library has a new printer.'],
  ['今天天气很好。', '请问怎么安装这个软件？'],
  ['我想订一个房间。', '大象是最大的陆地动物。'],
  ['这首歌很好听。', 'The engine needs oil.'],
  ['List all running containers', '我的奶奶今年八十岁了。'],
  ['She is learning to swim.', '股票今天大跌。'],
]
