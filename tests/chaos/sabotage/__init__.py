"""What live faults do to the processes of a house from inside, told by files in the folder named by `SABOTAGE`."""
