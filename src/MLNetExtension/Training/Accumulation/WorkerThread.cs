using System.Collections.Concurrent;

namespace MLNetExtension.Training.Accumulation;

/// <summary>A thread with a part of the machine's cores to itself. Where that is one core, libtorch computes without helpers, and no kernel ends with a wait for them.</summary>
internal sealed class WorkerThread : IDisposable
{
    private readonly BlockingCollection<Task> _tasks = [];
    private readonly Thread _thread;

    /// <summary>Starts the thread.</summary>
    /// <param name="cores">How many threads libtorch may use in a kernel, this one included.</param>
    public WorkerThread(int cores)
    {
        _thread = new Thread(Work) { IsBackground = true, Name = "MLNetExtension training" };
        _thread.Start();
        Start(() => _ = new KernelThreads(cores)).GetAwaiter().GetResult();
    }

    /// <summary>Has the thread do something, after all that it was given before.</summary>
    /// <param name="action">What to do.</param>
    public Task Start(Action action)
    {
        Task task = new(action);
        _tasks.Add(task);
        return task;
    }

    /// <summary>Ends the thread, when it has done what it was given.</summary>
    public void Dispose()
    {
        _tasks.CompleteAdding();
        _thread.Join();
        _tasks.Dispose();
    }

    private void Work()
    {
        foreach (Task task in _tasks.GetConsumingEnumerable())
            task.RunSynchronously(TaskScheduler.Default);
    }
}
