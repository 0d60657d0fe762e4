using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace MLNetExtension.Models.Layers;

/// <summary>
/// Causal attention of rows that lie one after another, and its gradient, in vectors of 512 bits: softmax(s Q K') V of float32, where libtorch's kernel computes by 256 bits, see <see cref="WideProduct"/>, and what causality hides as well.
/// A position's result is the same sum whatever rows and threads there are. P positions of all rows, H heads of queries, G of keys and of values, D width of a head.
/// </summary>
/// <remarks>
/// Keys and queries meet in blocks of 32 by 32. Forward, a column of scores belongs to a query, so that a softmax goes down the columns, 16 at a time; all scores of 32 queries are there at once. Backward, probabilities are computed again
/// from the logarithms of their sums (Dao et al. 2022, "FlashAttention", appendix B), for 32 keys and all queries at once, and a column belongs to a key.
/// </remarks>
internal static unsafe class WideAttention
{
    // Queries or keys that are handled together.
    private const int Block = WideTile.Columns, TileRows = WideTile.Rows;

    /// <summary>Whether heads can be attended to here, faster than by libtorch.</summary>
    /// <param name="heads">Queries, keys and values, [P,H+2G,D].</param>
    /// <param name="rule">How they become probabilities; null for <see cref="AttentionRule.Plain"/>.</param>
    public static bool Suits(Tensor heads, AttentionRule? rule) =>
        WideProduct.IsFaster && MatrixView.Suits(heads) && heads.shape[2] % Block == 0 && rule?.ScoreCap is null;

    /// <summary>Attends from each position to itself and to those before it in its row.</summary>
    /// <param name="heads">Queries, keys and values, [P,H+2G,D], contiguous.</param>
    /// <param name="counts">Which of them are which.</param>
    /// <param name="rows">The lengths of the rows.</param>
    /// <param name="results">Receives the results, [P,H D], contiguous.</param>
    /// <param name="logSums">Receives what the backward pass needs, [H,P], contiguous; null for none.</param>
    public static void Attend(Tensor heads, HeadCounts counts, IEnumerable<long> rows, Tensor results, Tensor? logSums)
    {
        Operands all = new(heads, counts, results, logSums);
        all.ForEach(rows, part => Attend(all, part));
        GC.KeepAlive((heads, results, logSums));
    }

    /// <summary>Computes the gradient of queries, keys and values.</summary>
    /// <param name="heads">What <see cref="Attend(Tensor, HeadCounts, IEnumerable{long}, Tensor, Tensor?)"/> had.</param>
    /// <param name="counts">Which of them are which.</param>
    /// <param name="rows">The lengths of the rows.</param>
    /// <param name="results">What it gave.</param>
    /// <param name="logSums">What it gave.</param>
    /// <param name="resultGradient">Of the results, [P,H D], contiguous.</param>
    /// <param name="gradient">Receives the gradient, [P,H+2G,D], contiguous.</param>
    public static void Backward(Tensor heads, HeadCounts counts, IEnumerable<long> rows, Tensor results, Tensor logSums, Tensor resultGradient, Tensor gradient)
    {
        Operands all = new(heads, counts, results, logSums);
        Gradients gradients = new(MatrixView.Of(resultGradient).Address, MatrixView.Of(gradient.flatten(1)).Address);
        all.ForEach(rows, part => Backward(all, gradients, part));
        GC.KeepAlive((heads, results, logSums, resultGradient, gradient));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Attend(Operands all, Part part)
    {
        int width = all.Width, step = all.HeadStep, resultStep = all.ResultStep;
        long padded = part.Blocks * Block;
        float* keys = Panels.Reserve((padded + Block) * width + padded * Block + 2 * Block), queries = keys + padded * width, scores = queries + Block * width, factors = scores + padded * Block, logs = factors + Block;
        float* key = all.Key(part), value = all.Value(part);
        Panels.Copy(keys, new MatrixView((nint)key, step, 1), part.Length, width, Block);
        for (int head = part.Group * all.Shared; head < (part.Group + 1) * all.Shared; head++)
        {
            for (int first = 0; first < part.Length; first += Block)
            {
                int count = Math.Min(Block, part.Length - first), firstKey = all.FirstKeyOf(first), met = first + count - firstKey;
                Panels.Copy(queries, new MatrixView((nint)(all.Query(part, head) + (long)first * step), step, 1), count, width, Block);
                for (int k = 0; k < met; k += TileRows)
                {
                    int at = firstKey + k;
                    WideTile.Multiply<WideTile.ByColumns>(keys + (long)(at / Block * Block) * width + at % Block, queries, Block, width, new WideTile.Target(scores + k * Block, Block));
                }
                Normalize(scores, all, first, firstKey, met, factors, logs);
                float* result = all.Result(part, head) + (long)first * resultStep;
                for (int d = 0; d < width; d += Block)
                {
                    for (int q = 0; q < count; q += TileRows)
                    {
                        WideTile.Multiply<WideTile.ByColumns>(scores + q, value + (long)firstKey * step + d, step, met,
                            new WideTile.Target(result + (long)q * resultStep + d, resultStep) { Count = Math.Min(TileRows, count - q), Factors = factors + q });
                    }
                }
                if (all.LogSums != 0)
                    new ReadOnlySpan<float>(logs, count).CopyTo(new Span<float>(all.LogSum(part, head) + first, count));
            }
        }
    }

    // Scores of 32 queries, [keys,32], become powers of e; and each query gets the factor that makes them probabilities, and the logarithm of their sum.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Normalize(float* scores, Operands all, int first, int firstKey, int count, float* factors, float* logs)
    {
        Vector512<float> scale = Vector512.Create(all.Scale);
        for (int half = 0; half < Block; half += Block / 2)
        {
            Vector512<int> query = Vector512.CreateSequence(first + half, 1);
            Vector512<float> most = Vector512.Create(float.NegativeInfinity), sum = Vector512<float>.Zero;
            for (int k = 0; k < count; k++)
            {
                float* row = scores + k * Block + half;
                Vector512<float> score = Vector512.Load(row);
                if (all.MayHide(first, firstKey + k))
                {
                    score = Vector512.ConditionalSelect(all.Sees(query, Vector512.Create(firstKey + k)), score, Vector512.Create(float.NegativeInfinity));
                    score.Store(row);
                }
                most = Vector512.MaxNative(most, score);
            }
            Vector512<float> shift = most * scale;
            for (int k = 0; k < count; k++)
            {
                float* row = scores + k * Block + half;
                Vector512<float> power = WideMath.Exp(Vector512.FusedMultiplyAdd(Vector512.Load(row), scale, -shift));
                power.Store(row);
                sum += power;
            }
            (Vector512<float>.One / sum).Store(factors + half);
            shift.Store(logs + half);
            for (int q = half; q < half + Block / 2; q++)
                logs[q] -= MathF.Log(factors[q]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Backward(Operands all, Gradients gradients, Part part)
    {
        int width = all.Width, step = all.HeadStep, resultStep = all.ResultStep;
        long padded = part.Blocks * Block, panel = padded * width;
        float* keys = Panels.Reserve(4 * panel + padded * (2 * Block + 2)), values = keys + panel, queries = values + panel, results = queries + panel;
        float* probabilities = results + panel, scores = probabilities + padded * Block, logs = scores + padded * Block, means = logs + padded;
        Panels.Copy(keys, new MatrixView((nint)all.Key(part), step, 1), part.Length, width, Block);
        Panels.Copy(values, new MatrixView((nint)all.Value(part), step, 1), part.Length, width, Block);
        for (int head = part.Group * all.Shared; head < (part.Group + 1) * all.Shared; head++)
        {
            bool adds = head > part.Group * all.Shared;
            float* query = all.Query(part, head), resultGradient = all.Result(part, head, gradients.Results), queryGradient = all.Query(part, head, gradients.Heads);
            Panels.Copy(queries, new MatrixView((nint)query, step, 1), part.Length, width, Block);
            Panels.Copy(results, new MatrixView((nint)resultGradient, resultStep, 1), part.Length, width, Block);
            for (int q = 0; q < part.Length; q++)
                means[q] = Dot(resultGradient + (long)q * resultStep, all.Result(part, head) + (long)q * resultStep, width);
            new ReadOnlySpan<float>(all.LogSum(part, head), part.Length).CopyTo(new Span<float>(logs, part.Length));
            for (int first = 0; first < part.Length; first += Block)
            {
                int count = Math.Min(Block, part.Length - first), met = all.EndOfQueries(first, part.Length) - first;
                float* keyPanel = keys + (long)first * width, valuePanel = values + (long)first * width;
                for (int q = 0; q < met; q += TileRows)
                {
                    long at = (long)((first + q) / Block * Block) * width + (first + q) % Block;
                    WideTile.Multiply<WideTile.ByColumns>(queries + at, keyPanel, Block, width, new WideTile.Target(probabilities + q * Block, Block));
                    WideTile.Multiply<WideTile.ByColumns>(results + at, valuePanel, Block, width, new WideTile.Target(scores + q * Block, Block));
                }
                Differentiate(probabilities, scores, all, first, met, logs + first, means + first);
                for (int d = 0; d < width; d += Block)
                {
                    for (int k = 0; k < count; k += TileRows)
                    {
                        int tileRows = Math.Min(TileRows, count - k);
                        long at = (long)(first + k) * step + d;
                        WideTile.Multiply<WideTile.ByColumns>(probabilities + k, resultGradient + (long)first * resultStep + d, resultStep, met, new WideTile.Target(all.Value(part, gradients.Heads) + at, step) { Count = tileRows, Adds = adds });
                        WideTile.Multiply<WideTile.ByColumns>(scores + k, query + (long)first * step + d, step, met, new WideTile.Target(all.Key(part, gradients.Heads) + at, step) { Count = tileRows, Adds = adds });
                    }
                    for (int q = 0; q < met; q += TileRows)
                    {
                        WideTile.Multiply<WideTile.ByRows>(scores + q * Block, all.Key(part) + (long)first * step + d, step, count,
                            new WideTile.Target(queryGradient + (long)(first + q) * step + d, step) { Count = Math.Min(TileRows, met - q), Adds = first > all.FirstKeyOf((first + q) / Block * Block) });
                    }
                }
            }
        }
    }

    // Scores of 32 keys, [queries,32], become probabilities, and the gradients of these become those of the scores: p (dp - sum of p dp).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Differentiate(float* probabilities, float* gradients, Operands all, int first, int count, float* logs, float* means)
    {
        Vector512<float> scale = Vector512.Create(all.Scale);
        for (int half = 0; half < Block; half += Block / 2)
        {
            Vector512<int> key = Vector512.CreateSequence(first + half, 1);
            for (int q = 0; q < count; q++)
            {
                float* probability = probabilities + q * Block + half, gradient = gradients + q * Block + half;
                Vector512<float> p = WideMath.Exp(Vector512.FusedMultiplyAdd(Vector512.Load(probability), scale, Vector512.Create(-logs[q])));
                if (all.MayHideFrom(first + q, first))
                    p = Vector512.ConditionalSelect(all.Sees(Vector512.Create(first + q), key), p, Vector512<float>.Zero);
                p.Store(probability);
                (p * scale * (Vector512.Load(gradient) - Vector512.Create(means[q]))).Store(gradient);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot(float* left, float* right, int length)
    {
        Vector512<float> sum = Vector512<float>.Zero;
        for (int i = 0; i < length; i += Vector512<float>.Count)
            sum = Vector512.FusedMultiplyAdd(Vector512.Load(left + i), Vector512.Load(right + i), sum);
        return Vector512.Sum(sum);
    }

    // A row, and a head of keys and values with all heads of queries that share it.
    private readonly record struct Part(int Start, int Length, int Group)
    {
        public int Blocks => (Length + Block - 1) / Block;
    }

    private readonly record struct Gradients(nint Results, nint Heads);

    private sealed class Operands
    {
        private readonly nint _heads, _results;
        private readonly int _queries, _groups;
        private readonly long _positions, _window;

        public Operands(Tensor heads, HeadCounts counts, Tensor results, Tensor? logSums)
        {
            (_heads, _results, LogSums) = (MatrixView.Of(heads.flatten(1)).Address, MatrixView.Of(results).Address, logSums is null ? 0 : MatrixView.Of(logSums).Address);
            (_positions, Width, _queries, _groups) = (heads.shape[0], (int)heads.shape[2], counts.Queries, counts.Groups);
            _window = counts.Rule?.Window ?? int.MaxValue;
            Scale = (float)((counts.Rule?.QueryFactor ?? 1) / Math.Sqrt(Width));
        }

        public nint LogSums { get; }

        public int Width { get; }

        public float Scale { get; }

        public int Shared => _queries / _groups;

        public int HeadStep => (_queries + 2 * _groups) * Width;

        public int ResultStep => _queries * Width;

        public float* Query(Part part, int head) => Query(part, head, _heads);

        public float* Query(Part part, int head, nint heads) => (float*)heads + (long)part.Start * HeadStep + head * Width;

        public float* Key(Part part) => Key(part, _heads);

        public float* Key(Part part, nint heads) => Query(part, _queries + part.Group, heads);

        public float* Value(Part part) => Value(part, _heads);

        public float* Value(Part part, nint heads) => Query(part, _queries + _groups + part.Group, heads);

        public float* Result(Part part, int head) => Result(part, head, _results);

        public float* Result(Part part, int head, nint results) => (float*)results + (long)part.Start * ResultStep + head * Width;

        public float* LogSum(Part part, int head) => (float*)LogSums + head * _positions + part.Start;

        // The first block of keys that a block of queries can see, and the end of the queries that can see a block of keys, whole blocks.
        public int FirstKeyOf(int query) => (int)(Math.Max(0, query - _window + 1) / Block * Block);

        public int EndOfQueries(int key, int length) => (int)Math.Min(length, (key + Block - 2 + _window) / Block * Block + Block);

        // Whether a key is hidden from some of a block of queries, or some of a block of keys from a query.
        public bool MayHide(int firstQuery, int key) => key > firstQuery || key + _window < firstQuery + Block;

        public bool MayHideFrom(int query, int firstKey) => firstKey + Block - 1 > query || firstKey + _window <= query;

        public Vector512<float> Sees(Vector512<int> query, Vector512<int> key) =>
            (Vector512.LessThanOrEqual(key, query) & Vector512.GreaterThan(key, query - Vector512.Create((int)_window))).AsSingle();

        public void ForEach(IEnumerable<long> rows, Action<Part> action)
        {
            List<Part> parts = [];
            int start = 0;
            foreach (int length in rows.Select(row => (int)row))
            {
                for (int group = 0; group < _groups; group++)
                    parts.Add(new Part(start, length, group));
                start += length;
            }
            int threads = get_num_threads();    // of the calling thread, a worker's share
            if (threads == 1)
                parts.ForEach(action);
            else
                Parallel.ForEach(parts, new ParallelOptions { MaxDegreeOfParallelism = threads }, action);
        }
    }
}
