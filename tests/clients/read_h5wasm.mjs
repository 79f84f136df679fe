// node read_h5wasm.mjs MODULE FILE DATASET...: shape and values of each dataset, as JSON
const [module, file, ...names] = process.argv.slice(2);
const h5wasm = (await import(module)).default;
await h5wasm.ready;
const source = new h5wasm.File(file, "r");
const plain = (value) => typeof value === "string" ? value : Array.from(value, Number);
console.log(JSON.stringify(names.map((name) => [source.get(name).shape, plain(source.get(name).value)])));
