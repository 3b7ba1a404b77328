/** Russian texts of the language model. */
export const ruLlm = {
  llm: {
    title: 'Языковая модель',
    off: 'Выключена: звонки оцениваются по правилам, текст никуда не отправляется. Включается в разделе [llm] настроек.',
    server: 'Сервер',
    local: 'этот компьютер',
    foreign: 'внешний, личные данные скрываются',
    model: 'Модель',
    waiting: 'Ждут оценки',
    today: 'Сегодня',
    spent: (requests: string, input: string, output: string) => `запросов ${requests}, токенов ${input} прочитано и ${output} написано`,
    cost: 'Стоимость за сегодня',
    of: (spent: string, budget: string) => `${spent} из ${budget}`,
    resume: 'Попробовать сейчас',
    until: (time: string) => `Пауза до ${time}.`,
    days: 'Расход по дням',
    dayColumns: ['День', 'Модель', 'Запросов', 'Токенов', 'Стоимость'],
    ledger: 'Что отправлено модели',
    nothing: 'Ничего не отправлялось.',
    columns: ['Время', 'Звонок', 'Символов', 'Скрыто', 'Токенов', 'Итог'],
    ok: 'успех',
  },
};
