using System.Collections.Concurrent;
using Microsoft.ML;
using MLNetExtension.Generation;
using MLNetExtension.Tests.MLNet;

namespace MLNetExtension.Tests.Hostile;

/// <summary>Eight threads that use one model in every way in which a model can be used.</summary>
internal sealed class ModelUsers
{
    private const int Threads = 8;
    private static readonly GenerationOptions Greedy = new() { Temperature = 0, MaximumNewTokens = 8 };
    private readonly MLContext _mlContext = new(seed: 1);

    /// <summary>Disposes of models while they are used.</summary>
    /// <returns>0 if every call finished, or was refused because the model is gone.</returns>
    public int DisposeInFlight(int disposals)
    {
        long finished = 0, refused = 0;
        ConcurrentQueue<string> failures = [];
        Random random = new(1);
        for (int i = 0; i < disposals && failures.IsEmpty; i++)
        {
            CausalLanguageModelTransformer model = Tiny.Train(_mlContext, Tiny.Options(steps: 0));
            using CountdownEvent started = new(Threads);
            Run(t =>
            {
                try
                {
                    Func<object> use = CreateUse(model, t);
                    use();
                    started.Signal();
                    for (; ; Interlocked.Increment(ref finished))
                        use();
                }
                catch (ObjectDisposedException)
                {
                    Interlocked.Increment(ref refused);
                }
                catch (Exception exception)
                {
                    failures.Enqueue($"disposal {i}, thread {t}: {exception}");
                    if (!started.IsSet)
                        started.Signal();
                }
            }, meanwhile: () =>
            {
                started.Wait();
                Thread.SpinWait(random.Next(20_000));
                model.Dispose();
            });
        }
        Console.WriteLine(failures.TryPeek(out string? failure) ? failure : $"{disposals} disposals with {Threads} threads: {finished} calls finished, {refused} were refused");
        return failures.IsEmpty ? 0 : 1;
    }

    /// <summary>Compares what each of the threads gets with what one thread gets.</summary>
    /// <returns>0 if all of it is equal.</returns>
    public int PredictTogether(int predictions)
    {
        using CausalLanguageModelTransformer model = Tiny.Train(_mlContext);
        object[][] expected = [.. Enumerable.Range(0, Threads).Select(t => Results(model, t, Tiny.Texts.Length))];
        ConcurrentQueue<string> failures = [];
        Run(t =>
        {
            try
            {
                object[] results = Results(model, t, predictions);
                for (int i = 0; i < predictions; i++)
                {
                    if (!results[i].Equals(expected[t][i % Tiny.Texts.Length]))
                        failures.Enqueue($"thread {t}, call {i}: {results[i]}, expected {expected[t][i % Tiny.Texts.Length]}");
                }
            }
            catch (Exception exception)
            {
                failures.Enqueue($"thread {t}: {exception}");
            }
        });
        Console.WriteLine(failures.TryPeek(out string? failure) ? failure : $"{Threads} threads, {predictions} calls each: equal to those of one thread");
        return failures.IsEmpty ? 0 : 1;
    }

    private static void Run(Action<int> use, Action? meanwhile = null)
    {
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(t => new Thread(() => use(t)))];
        foreach (Thread thread in threads)
            thread.Start();
        meanwhile?.Invoke();
        foreach (Thread thread in threads)
            thread.Join();
    }

    private object[] Results(CausalLanguageModelTransformer model, int thread, int count)
    {
        Func<object> use = CreateUse(model, thread);
        object[] results = new object[count];
        for (int i = 0; i < count; i++)
            results[i] = use();
        return results;
    }

    /// <summary>One of four uses, by the thread's number. Each call takes the next of <see cref="Tiny.Texts"/>.</summary>
    private Func<object> CreateUse(CausalLanguageModelTransformer model, int thread)
    {
        int next = 0;
        string Next() => Tiny.Texts[next++ % Tiny.Texts.Length];
        switch (thread % 4)
        {
            case 0:
                PredictionEngine<Tiny.Row, Tiny.Prediction> engine = _mlContext.Model.CreatePredictionEngine<Tiny.Row, Tiny.Prediction>(model, new PredictionEngineOptions { OwnsTransformer = false });
                return () => engine.Predict(new Tiny.Row { Text = Next(), Vector = [0, 0] }).LossSum;
            case 1:
                return () => Tiny.Score(_mlContext, model, Tiny.Rows(_mlContext, Next())).Single().LossSum;
            case 2:
                PromptedTextGenerator generator = _mlContext.CausalLanguageModeling.CreateTextGenerator(model);
                return () => generator.Generate(Next(), Greedy);
            default:
                PromptedTextGenerator streaming = _mlContext.CausalLanguageModeling.CreateTextGenerator(model);
                return () => string.Concat(streaming.StreamAsync(Next(), Greedy).ToBlockingEnumerable());
        }
    }
}
