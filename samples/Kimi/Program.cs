using System.Globalization;
using Kimi.CommandLine;

// A variable of the environment can bring the system's culture back; what is written is read by other programs.
CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
return await ErrorBoundary.RunAsync(args);
