using System.CommandLine;
using System.Text.Json;
using MLNetExtension.Benchmarks.Measuring;
using MLNetExtension.Benchmarks.Reporting;
using MLNetExtension.Benchmarks.Rows;
using MLNetExtension.Benchmarks.Steps;
using MLNetExtension.Benchmarks.Systems;
using MLNetExtension.Benchmarks.Workloads;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;
using Spectre.Console;
using TorchSharp;

namespace MLNetExtension.Benchmarks;

/// <summary>The command line of the benchmarks, and the hidden commands with which the program starts itself.</summary>
internal static class BenchmarksApp
{
    /// <summary>Runs a command.</summary>
    /// <param name="args">Its options.</param>
    /// <returns>The exit code: 0 for success, 1 if the benchmark failed, 2 if an option is invalid.</returns>
    public static async Task<int> Run(string[] args)
    {
        ParseResult parsed = CreateRoot().Parse(args);
        if (parsed.Errors.Count > 0)
        {
            Console.Error.WriteLine($"{OneLine(string.Join(' ', parsed.Errors.Select(error => error.Message)))} (options: --help)");
            return 2;
        }
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        }
        catch (BenchmarkException e)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("Stopped.");
            return 130;
        }
    }

    private static RootCommand CreateRoot()
    {
        Option<string?> workload = new("--workload") { Description = "One workload; default all five, and on a GPU a sixth, GPT-2 of 124 million weights on rows of up to 1,024 tokens.", HelpName = "W1|W2|W3|W4|W5|W6" };
        workload.AcceptOnlyFromAmong(StringComparer.OrdinalIgnoreCase, [.. Workload.All.Select(each => each.Name)]);
        Option<int> rounds = AtLeastOne("--rounds", 3, "How often every system has its turn.");
        Option<int> threads = AtLeastOne("--threads", Environment.ProcessorCount, "Threads of every system; default one for each core.");
        Option<string?> python = new("--python")
        {
            Description = "Also run the PyTorch loop, with the torch of this Python; default /usr/bin/python3.",
            HelpName = "FILE",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string> device = new("--device") { Description = "Where every system computes: cpu, cuda or cuda:N; default cpu.", HelpName = "DEVICE", DefaultValueFactory = _ => "cpu" };
        Option<ComputePrecision> precision = new("--precision") { Description = "Type of the products of a training, in systems that have a choice; default float32.", HelpName = "float32|bfloat16" };
        Option<string?> json = OutputFile("--json", "Also write the figures to this file."), plot = OutputFile("--plot", "Also draw the figures, as PNG, to this file.");
        Option<string[]> results = new("--results") { Description = "Instead of measuring: take the figures from files that --json has written, of one workload or several each.", HelpName = "FILE", AllowMultipleArgumentsPerToken = true };
        Option<bool> steps = new("--steps-report") { Description = "Instead of comparing: what a step of ours costs beside the model (workload W2 unless another is named)." };
        Option<bool> tuner = new("--tuner-report") { Description = "Instead of comparing: which split trials find, start by start, beside all that are fixed (workload W2 unless another is named)." };
        Option<int> starts = AtLeastOne("--starts", 20, "Starts of --tuner-report, each a process of its own.");
        Option<bool> ranks = new("--ranks") { Description = "Instead of peers: ours in two threads, two workers and, by mpirun, two processes." };
        Option<bool> data = new("--data") { Description = "Instead of comparing: how long it takes to the first step over many short rows, and how much memory." };
        Option<int> rows = AtLeastOne("--rows", 1_000_000, "Rows of --data, 210 bytes each; their file is written into the temporary folder.");
        Option<string> tokenizer = new("--tokenizer") { Description = "Folder of a tokenizer for --data; default bytes.", HelpName = "DIR", DefaultValueFactory = _ => "" };
        RootCommand root = new("Speed and memory of training, beside a plain TorchSharp loop on the same libtorch, rows and weights, and where asked for a PyTorch loop.")
        {
            workload, rounds, threads, device, precision, python, ranks, json, plot, results, steps, tuner, starts, data, rows, tokenizer,
        };
        root.Validators.Add(result =>
        {
            if (result.GetValue(plot) is not null && (result.GetValue(ranks) || result.GetValue(steps) || result.GetValue(tuner) || result.GetValue(data)))
                result.AddError("--plot draws a comparison with peers; --ranks, --steps-report, --tuner-report and --data measure something else.");
            if (result.GetValue(ranks) && result.GetValue(workload) is { } scored && !Workload.Named(scored).IsTrained)
                result.AddError($"--ranks compares trainings, and {scored} is not one.");
            if (result.GetValue(tuner) && result.GetValue(workload) is { } named && !Workload.Named(named).IsTrained)
                result.AddError($"--tuner-report starts trainings, and {named} is not one.");
        });
        root.SetAction(async (parsed, cancellation) =>
        {
            IAnsiConsole console = CreateConsole();
            string? pythonFile = parsed.GetResult(python) is null ? null : parsed.GetValue(python) ?? "/usr/bin/python3";
            ChildProcess children = new(parsed.GetValue(threads), pythonFile);
            string? named = parsed.GetValue(workload);
            bool areRanks = parsed.GetValue(ranks);
            MachineSettings machine = new(parsed.GetValue(device)!, parsed.GetValue(precision));
            IEnumerable<Workload> workloads = named is null ? Workload.All.Where(each => (each.IsTrained || !areRanks) && (machine.IsGpu || !each.IsForGpu)) : [Workload.Named(named)];
            if (parsed.GetValue(results) is not { Length: > 0 })
                await Describe(console, children, parsed.GetValue(threads), cancellation);
            object figures = parsed.GetValue(results) is { Length: > 0 } files
                ? Show(console, files)
                : parsed.GetValue(data)
                ? await Rows(console, parsed.GetValue(rows), parsed.GetValue(tokenizer)!, children, cancellation)
                : parsed.GetValue(tuner)
                ? await Tuner(console, Workload.Named(named ?? "W2"), parsed.GetValue(starts), children, cancellation)
                : parsed.GetValue(steps)
                ? await Steps(console, Workload.Named(named ?? "W2"), children, cancellation)
                : await Compare(console, workloads, machine, areRanks, parsed.GetValue(rounds), children, cancellation);
            if (parsed.GetValue(json) is { } file)
                ReportFile.Write(file, figures);
            if (parsed.GetValue(plot) is { } picture)
                SystemPlot.Write(picture, (IReadOnlyList<SystemReport>)figures);
        });
        foreach (Command hidden in CreateHidden(threads))
            root.Add(hidden);
        return root;
    }

    private static async Task Describe(IAnsiConsole console, ChildProcess children, int threads, CancellationToken cancellation)
    {
        console.WriteLine($"{Environment.ProcessorCount} cores, {threads} threads for every system, libtorch {torch.__version__}");
        if (children.HasPython)
            console.WriteLine(await PyTorchPeer.Describe(children, cancellation));
    }

    private static async Task<object> Compare(IAnsiConsole console, IEnumerable<Workload> workloads, MachineSettings machine, bool ranks, int rounds, ChildProcess children, CancellationToken cancellation)
    {
        List<SystemReport> all = [];
        foreach (Workload workload in workloads)
        {
            IReadOnlyList<string> systems = ranks ? SystemNames.Ways : SystemNames.Compared(workload, machine, children.HasPython);
            IReadOnlyList<SystemReport> lines = SystemReport.From(workload, await new Comparison(workload, machine, systems, children, console.WriteLine).Run(rounds, cancellation));
            SystemTable.Write(console, lines);
            all.AddRange(lines);
        }
        return all;
    }

    private static List<SystemReport> Show(IAnsiConsole console, string[] files)
    {
        List<SystemReport> all = [.. files.SelectMany(ReportFile.Read)];
        foreach (IGrouping<string, SystemReport> lines in all.GroupBy(line => line.Workload))
            SystemTable.Write(console, [.. lines]);
        return all;
    }

    private static async Task<object> Steps(IAnsiConsole console, Workload workload, ChildProcess children, CancellationToken cancellation)
    {
        StepsReport report = await StepsReport.Measure(workload, children, console.WriteLine, cancellation);
        report.Write(console);
        return report;
    }

    private static async Task<object> Tuner(IAnsiConsole console, Workload workload, int starts, ChildProcess children, CancellationToken cancellation)
    {
        TunerReport report = await TunerReport.Measure(workload, starts, children, console.WriteLine, cancellation);
        report.Write(console);
        return report;
    }

    private static async Task<object> Rows(IAnsiConsole console, int rows, string tokenizerFolder, ChildProcess children, CancellationToken cancellation)
    {
        RowsReport report = await RowsReport.Measure(rows, tokenizerFolder, children, console.WriteLine, cancellation);
        report.Write(console);
        return report;
    }

    // Each prints its result as one line of JSON, which ChildProcess reads.
    private static IEnumerable<Command> CreateHidden(Option<int> threads)
    {
        Argument<string> system = new("system"), folder = new("folder"), workload = new("workload"), run = new("run"), file = new("file"), tokenizer = new("tokenizer");
        Argument<string> device = new("device");
        Argument<ComputePrecision> precision = new("precision");
        Argument<int> tokens = new("tokens"), workers = new("workers");
        Option<bool> check = new("--check");
        yield return Hidden(HiddenCommands.System, [system, folder], [check], parsed => SystemRun.Run(parsed.GetRequiredValue(system), parsed.GetRequiredValue(folder), parsed.GetValue(check)));
        yield return Hidden(
            HiddenCommands.MatrixPeak, [device, precision], [], parsed => MatrixPeak.Measure(
                new torch.Device(parsed.GetRequiredValue(device)), type: parsed.GetRequiredValue(precision) == ComputePrecision.BFloat16 ? torch.bfloat16 : torch.float32, perSize: TimeSpan.FromSeconds(1)));
        yield return Hidden(HiddenCommands.StepParts, [workload], [], parsed => StepParts.Measure(Workload.Named(parsed.GetRequiredValue(workload))));
        yield return Hidden(HiddenCommands.StepScale, [workload], [], parsed => StepScale.Measure(Workload.Named(parsed.GetRequiredValue(workload))));
        yield return Hidden(HiddenCommands.TunerStart, [workload], [], parsed => PlanRun.Start(Workload.Named(parsed.GetRequiredValue(workload))));
        yield return Hidden(
            HiddenCommands.FixedPlan, [workload, tokens, workers], [],
            parsed => PlanRun.Measure(Workload.Named(parsed.GetRequiredValue(workload)), parsed.GetRequiredValue(tokens), parsed.GetRequiredValue(workers)));
        yield return Hidden(
            HiddenCommands.Rows, [run, file, tokenizer], [],
            parsed => RowsRun.Run(parsed.GetRequiredValue(run), parsed.GetRequiredValue(file), parsed.GetRequiredValue(tokenizer), parsed.GetValue(threads)));

        Command Hidden<T>(string name, Argument[] arguments, Option[] options, Func<ParseResult, T> measure)
        {
            Command command = new(name) { Hidden = true };
            foreach (Argument argument in arguments)
                command.Add(argument);
            foreach (Option option in (IEnumerable<Option>)[threads, .. options])
                command.Add(option);
            command.SetAction(parsed =>
            {
                torch.set_num_threads(parsed.GetValue(threads));
                if (measure(parsed) is { } result)
                    Console.WriteLine(JsonSerializer.Serialize(result, JsonSerializerOptions.Web));
            });
            return command;
        }
    }

    private static Option<string?> OutputFile(string name, string description)
    {
        Option<string?> option = new(name) { Description = description, HelpName = "FILE" };
        // Checked before an hour of measuring, not after it.
        option.Validators.Add(result =>
        {
            string file = Path.GetFullPath(result.GetValueOrDefault<string?>() ?? "");
            if (Directory.Exists(file) || !Directory.Exists(Path.GetDirectoryName(file)))
                result.AddError($"{name} {file} cannot be written: it is a folder, or its folder does not exist.");
        });
        return option;
    }

    private static Option<int> AtLeastOne(string name, int defaultValue, string description)
    {
        Option<int> option = new(name) { Description = description, HelpName = "N", DefaultValueFactory = _ => defaultValue };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out int value) && value < 1)
                result.AddError($"{name} is {value}; allowed is a whole number of at least 1.");
        });
        return option;
    }

    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    private static IAnsiConsole CreateConsole()
    {
        IAnsiConsole console = AnsiConsole.Console;
        if (!console.Profile.Out.IsTerminal)
            console.Profile.Width = 10_000;  // a program may read the lines
        return console;
    }
}
