using Samples;
using Samples.Reporting;

ConsoleWriter.Install();
return SamplesApp.Run(args, Console.Out, Console.Error);
