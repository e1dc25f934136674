export { type ListedPrice, makePrices, type Origin, type Prices } from './prices/book.ts'
export { classicPrices } from './prices/classic.ts'
export { costOf, covers, free, type Price, priceOf, type Use } from './prices/price.ts'
export { UsdPrice, usdProblem } from './prices/usd.ts'
