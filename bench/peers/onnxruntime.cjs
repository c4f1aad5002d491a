// onnxruntime-node on the models that train/reference.py exports: lines "name milliseconds" (the least of several runs).
const ort = require('onnxruntime-node');
const dir = process.argv[2];

async function least(session, feeds, times) {
    const took = [];
    for (let i = 0; i < times; i++) {
        const t = process.hrtime.bigint();
        await session.run(feeds);
        took.push(Number(process.hrtime.bigint() - t) / 1e6);
    }
    return Math.min(...took);
}

async function main() {
    for (const threads of [1, 2]) {
        const options = {intraOpNumThreads: threads, interOpNumThreads: 1, graphOptimizationLevel: 'all'};
        for (const n of [8, 77]) {
            const session = await ort.InferenceSession.create(`${dir}/text_${n}.onnx`, options);
            const ids = BigInt64Array.from({length: n}, (_, i) => BigInt(i === 0 ? 49406 : i + 1 === n ? 49407 : 300 + i));
            const feeds = {ids: new ort.Tensor('int64', ids, [n])};
            console.log(`text_${n}_threads_${threads}`, (await least(session, feeds, 11)).toFixed(3));
            await session.release();
        }
        const session = await ort.InferenceSession.create(`${dir}/image.onnx`, options);
        for (const n of [1, 16]) {
            const pixels = Float32Array.from({length: n * 3 * 224 * 224}, (_, i) => (i * 7919 % 4096) / 1024 - 2);
            const feeds = {pixels: new ort.Tensor('float32', pixels, [n, 3, 224, 224])};
            console.log(`image_${n}_threads_${threads}`, (await least(session, feeds, 5)).toFixed(3));
        }
        await session.release();
    }
}

main();
